"""The program of the keeper process, run by its path: `python -I -S -E run_keeper.py cluster=... log=...`.

It gives the modules beside it their package without executing any `__init__`, so that neither the rest of the
product nor site-packages is loaded. Importing this file does nothing.
"""

import sys
import types
from os.path import abspath, dirname

if __name__ == "__main__":
    path = abspath(__file__)
    for name in ("watchfloor.store.embedded", "watchfloor.store", "watchfloor"):
        path = dirname(path)
        package = types.ModuleType(name)
        package.__path__ = [path]
        sys.modules[name] = package
    from watchfloor.store.embedded.keeper import main

    main()
