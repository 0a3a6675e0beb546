"""``python -m watchfloor`` is the command ``watchfloor``."""

from watchfloor.cli.main import main

main()
