"""The sections of the Alerts room, one file each, in the order of the room."""

from __future__ import annotations

from watchfloor.console.screens.alert_sections.active import Active
from watchfloor.console.screens.alert_sections.analytics import Analytics
from watchfloor.console.screens.alert_sections.deliveries import Deliveries
from watchfloor.console.screens.alert_sections.history import History
from watchfloor.console.screens.alert_sections.on_call import OnCall
from watchfloor.console.screens.alert_sections.rules import Rules
from watchfloor.console.screens.alert_sections.section import AlertSection
from watchfloor.console.screens.alert_sections.silences import Silences

SECTIONS: tuple[type[AlertSection], ...] = (Active, History, Rules, Silences, Deliveries, OnCall, Analytics)
"""Another section is another file with a subclass of `AlertSection`, and its name here."""
