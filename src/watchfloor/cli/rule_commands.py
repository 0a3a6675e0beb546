"""The commands about rules. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchfloor.cli.said import Json, options_of

rules_app = typer.Typer(
    invoke_without_command=True, help="Rules: list them, look at one, try it, or send a test."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the rule.")]


@rules_app.callback()
def rules(context: typer.Context, json: Json = False) -> None:
    """Print every rule, in the order in which they are asked, and what came of it lately."""
    if context.invoked_subcommand is not None:
        return
    from watchfloor.cli import plain
    from watchfloor.cli.rules import show_rules

    rows = plain.ask(options_of(context), lambda desk: desk.rules())
    plain.show_json(rows) if json else show_rules(rows)


@rules_app.command()
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Print one rule, and how its evaluations went in the last day."""
    from watchfloor.cli import plain
    from watchfloor.cli import rules as told

    shown = plain.ask(options_of(context), told.one(name))
    plain.show_json(shown) if json else told.show_rule(shown)


@rules_app.command("try")
def try_(
    context: typer.Context,
    name: Name,
    over: Annotated[str, typer.Option(help="How far to look back, as in 7d.")] = "7d",
    file: Annotated[
        Path | None, typer.Option("--file", help="Take the rule from this config file, in force or not.")
    ] = None,
    json: Json = False,
) -> None:
    """Print when a rule would have fired, given what is stored here. It tells nobody."""
    from watchfloor.cli import plain
    from watchfloor.cli import rules as told

    rule, length = name if file is None else told.rule_in(file, name), told.over(over)
    found = plain.ask(options_of(context), lambda desk: desk.rehearse(rule, length))
    plain.show_json(found) if json else told.show_rehearsal(name, found)


@rules_app.command()
def test(context: typer.Context, name: Name) -> None:
    """Send a message, marked as a test, to whom an alert of a rule would be told now.

    That is the channels that routes name and, without waiting, whom the first step of its chain of escalation names.
    Channels that are off or have a mute time, and people in quiet hours, are left out; silences and maintenance are
    not.
    """
    from watchfloor.cli import plain
    from watchfloor.domain.text import one_line

    told = plain.ask(options_of(context), lambda desk: desk.test_rule(name))
    print(f"{one_line(told.words(name), 2000)}: watchfloor deliveries says how it went")


def _switch(context: typer.Context, name: str, on: bool) -> None:
    from watchfloor.cli import plain

    changed = plain.ask(options_of(context), lambda desk: desk.set_rule_enabled(name, on))
    print(f"{name} is {'on' if on else 'off'}{'' if changed else ' already'}")


@rules_app.command()
def on(context: typer.Context, name: Name) -> None:
    """Let a rule take part again, whoever wrote it."""
    _switch(context, name, True)


@rules_app.command()
def off(context: typer.Context, name: Name) -> None:
    """Let a rule take no part, whoever wrote it; what is open by it ends, or goes to another rule."""
    _switch(context, name, False)


@rules_app.command()
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A rule that the console owns.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a rule away; what it raised stays on record."""
    from watchfloor.cli import entries, plain

    entries.sure(f"delete {name}", yes)
    plain.ask(options_of(context), lambda desk: desk.delete_thing("rule", name))
    print(f"{name} is deleted")
