"""THE table of actions: every key of the console, what it does, where, and why it may be unable to.

Bindings, footer, help, command palette and docs/keys.md are made from `ACTIONS`; there is no second list. Its parts
stand in `table`, one file for each area. No key here destroys anything by itself: what is marked `danger` opens a
dialog that says what and how many.
"""

from __future__ import annotations

from watchfloor.console.action import Action
from watchfloor.console.table.alerts import ALERTS
from watchfloor.console.table.channels import CHANNEL_ACTIONS
from watchfloor.console.table.console import CONSOLE
from watchfloor.console.table.dialogs import DIALOGS
from watchfloor.console.table.forms import FORM_ACTIONS, WRITING_ACTIONS
from watchfloor.console.table.jobs import JOB_ACTIONS
from watchfloor.console.table.lists import LISTS
from watchfloor.console.table.logs import LOGS
from watchfloor.console.table.moves import MOVES
from watchfloor.console.table.rooms import ROOMS
from watchfloor.console.table.rules import RULES
from watchfloor.console.table.services import SERVICES
from watchfloor.console.table.settings import SETTINGS
from watchfloor.console.table.typing import TYPING
from watchfloor.console.table.windows import WINDOWS

ACTIONS: tuple[Action, ...] = (
    *ROOMS,
    *ALERTS,
    *RULES,
    *SERVICES,
    *WINDOWS,
    *SETTINGS,
    *CHANNEL_ACTIONS,
    *JOB_ACTIONS,
    *FORM_ACTIONS,
    *LOGS,
    *LISTS,
    *MOVES,
    *CONSOLE,
    *DIALOGS,
    *TYPING,
    *WRITING_ACTIONS,
)

BY_ID = {each.id: each for each in ACTIONS}
