"""The kinds of jobs, their settings and error classes as a page of Markdown; docs/payloads.md is this text."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from watchfloor.config.describe import as_table, cell, describe
from watchfloor.config.jobs import JobKeys, RetryKeys, ScheduleKeys
from watchfloor.config.kinds import payload_kinds
from watchfloor.payloads.contract import COMMON_ERRORS

HEAD = """# Jobs

Made from the settings models in `src/watchfloor/payloads/`: do not edit, run
`python -m watchfloor.payloads.describe > docs/payloads.md`.

A job of the config file names what it does as its `kind` and has the settings of that kind beside the keys that every
job has. An attempt that fails ends with an *error class*, a dotted word; `retry.only_on` and `retry.not_on` name
classes, or many by a pattern such as `db.*`. What a job says is in the log of its run, with its secrets hidden.

A job may start again after its node was lost, so its work should do no harm when it is done twice; where it can, a
kind helps: the same `Idempotency-Key`, message id or `Message-ID` for every attempt of a run, `JOB_FENCE` for scripts,
files that appear as a whole, a place in the table that only the holder of the run can move. A machine that is frozen
as a whole may go on for a moment after it thaws, before it looks at the clock.

A job that is *paused* rests: its schedules make no runs, nobody can run it, and no other job or reaction starts it.
What was there before goes on: runs that wait for their time, their slot or another attempt. So does what somebody asks
for in spite of it: dead letters that are requeued, fires of the past that are backfilled.

Where the clock of the database is set back, what waits goes on after what was left of its time, and an interval in
step. What clocks show a second time does not fire a second time.

*Secret* settings are never written in the file where they give something away: write `${NAME}` or `${file:/path}`.
Libraries that only some kinds need are extras: a job that needs one that is missing says how to install it.

## Processes of jobs

A script, and the work of kinds that need a process of their own, runs under a *keeper*, a small process between the
node and it. The keeper ends it with everything that came of it, also what forked away into a session of its own: when
it has ended or is to end, when the node is killed, or when the node has not reached the database for so long that
others may take the run over. Then it has a second after SIGTERM.

Where the keeper itself is killed, for example because memory is short, its node finds what is left by the variable
`JOB_MARK` in the environment of every process, which no other attempt has, and kills it before the attempt counts as
ended. Where the node is killed with it, a node that runs on that machine, or the next one that starts there, does the
same before it takes the runs over. It sends no signal to a process that was given the number of another one meanwhile.

Not found in that case is a process that has cleared or overwritten its environment, keeps it from being read (as
`ssh-agent` and `gpg-agent` do) or has become another user's; and a node that runs as root needs the right to look at
processes of the users in `node.run_as` (`CAP_SYS_PTRACE`, which containers often lack). Nobody ends what is left on a
machine whose node was killed together with keepers until a node starts there again, while nodes of other machines take
its runs over 10 seconds after its last sign of life. On Linux only: elsewhere there is no `/proc` to look through, and
no keeper runs there either.

## Every job"""


def page() -> str:
    """The page."""
    lines = [HEAD, "", *as_table(describe(JobKeys))]
    kinds = payload_kinds()
    shared: tuple[type[BaseModel], ...] = (ScheduleKeys, RetryKeys)
    mappings = {model.__name__: model for model in shared}
    lines += ["", "## Error classes of every kind", "", *_errors(COMMON_ERRORS)]
    for name in sorted(kinds):
        settings = kinds[name].settings
        module = importlib.import_module(kinds[name].run.__module__)
        about = (module.__doc__ or "").strip().replace("``", "`")
        rows = sorted(describe(settings), key=lambda row: not row.required)
        lines += ["", f"## {name}", "", about, "", *as_table(rows), "", *_errors(module.ERRORS)]
        for field in settings.model_fields.values():
            for model in _models_in(field.annotation):
                mappings[f"{model.__name__} of {name}"] = model
    for title, model in mappings.items():
        lines += ["", f"## Mapping: {title}", "", model.__doc__ or "", "", *as_table(describe(model))]
    return "\n".join(lines) + "\n"


def _errors(errors: Mapping[str, str]) -> Iterator[str]:
    yield from ("| error class | meaning |", "|---|---|")
    yield from (f"| `{name}` | {cell(meaning)} |" for name, meaning in errors.items())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models_in(field.annotation)
    for inner in get_args(annotation):
        yield from _models_in(inner)


if __name__ == "__main__":
    print(page(), end="")
