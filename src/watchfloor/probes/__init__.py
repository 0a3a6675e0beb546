"""Kinds of checks, one file each.

A kind is a module registered under the entry-point group ``watchfloor.probes``. It declares

* ``Settings``: a `watchfloor.config.base.Settings` model, what a person may write about such a service;
* ``async def probe(settings: Settings, timeout: float) -> Outcome``: one check.

The contract, held by ``tests/probes/test_probes_contract.py`` for every kind: a probe returns an `Outcome` and
does not raise for anything the target does; it answers within ``timeout`` + 0.1 s; when cancelled it leaves
no socket, task, thread or process behind; it reads bounded amounts; its summary is one printable line that
never holds a secret.
"""
