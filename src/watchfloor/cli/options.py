"""What the command line may say for every command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Options that stand before the command; before or after it for `serve` and `attach`."""

    config: Path | None = None
    data_dir: Path | None = None
    node: str | None = None
    theme: str | None = None
    read_only: bool = False
    keys: str | None = None
    mouse: bool | None = None
