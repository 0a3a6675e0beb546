"""``watchfloor config check``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from watchfloor.cli.options import Options
from watchfloor.config.kinds import channel_kinds, payload_kinds, probe_kinds
from watchfloor.config.loader import load
from watchfloor.config.locate import find_config
from watchfloor.config.model import Configuration
from watchfloor.config.problems import render
from watchfloor.domain.words import count


def _notes(configuration: Configuration) -> list[str]:
    """What may be meant, and may be a slip: tags that the node of this file has not."""
    own = configuration.node.tags
    return [
        f"{configuration.path}:{service.line}: note: {service.name} asks for nodes with the tags "
        f"{', '.join(unknown)}; the node of this file has {', '.join(own) or 'no tags'}, so another must check it"
        for service in configuration.services
        if (unknown := [tag for tag in service.on_nodes if tag not in own])
    ]


def check(options: Options, path: Path | None) -> int:
    """Report every mistake of a config file; 0 when there is none, 1 otherwise."""
    found = path or find_config(options.config)
    if found is None:
        print("There is no config file: the built-in configuration watches this host.")
        return 0
    loaded = load(
        found, probe_kinds().models, channel_kinds().models, os.environ, payload_kinds=payload_kinds().models
    )
    for line in render(loaded.problems):
        print(line, file=sys.stderr)
    if loaded.configuration is None:
        print(f"{found}: {count(len(loaded.problems), 'mistake')}", file=sys.stderr)
        return 1
    configuration = loaded.configuration
    for note in _notes(configuration):
        print(note, file=sys.stderr)
    print(
        f"{found}: good; {count(len(configuration.services), 'service')}, "
        f"{count(len(configuration.rules), 'rule')}, {count(len(configuration.channels), 'channel')}, "
        f"{count(len(configuration.jobs), 'job')}"
    )
    return 0
