"""What all commands have in common: the options said before the command, and ``--json``."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from watchfloor.cli.options import Options

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def options_of(context: typer.Context, **after: Any) -> Options:
    """What was said before the command; where it may be said ``after`` it as well, that counts."""
    options: Options = context.find_root().obj
    return replace(options, **{name: value for name, value in after.items() if value is not None})
