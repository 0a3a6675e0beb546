"""What can be done to services and alerts, wherever they are shown."""

from __future__ import annotations

from watchfloor.console.line import clean
from watchfloor.console.screens.dialogs import AcknowledgeDialog, Acknowledgement, ResolveDialog
from watchfloor.console.screens.host import ActionHost


class ServiceActs(ActionHost):
    """`x` and `P`."""

    def do_check_now(self) -> None:
        service = self.context().service
        if service is not None:
            operator = self.console_app.operator
            self.console_app.operate(
                lambda: operator.check_now(service.id), f"asked for a check of {clean(service.name)}"
            )

    def do_pause(self) -> None:
        service = self.context().service
        if service is None:
            return
        operator, pausing, name = self.console_app.operator, not service.paused, clean(service.name)
        words = (f"paused {name}", f"resumed {name}")
        self.console_app.operate(
            lambda: operator.set_paused(service.id, pausing),
            words[0 if pausing else 1],
            undo=(
                "pause" if pausing else "resume",
                lambda: operator.set_paused(service.id, not pausing),
                words[1 if pausing else 0],
            ),
        )


class AlertActs(ActionHost):
    """`a` and `r`."""

    def alert_title(self) -> str:
        """What the selected alert says, for the head of a dialog."""
        raise NotImplementedError

    def do_acknowledge(self) -> None:
        alert_id = self.context().alert_id
        if alert_id is None:
            return
        app = self.console_app

        def done(answer: Acknowledgement | None) -> None:
            if answer is not None:
                self._acknowledge(alert_id, answer)

        app.push_screen(AcknowledgeDialog(alert_id, self.alert_title(), app.ack_lasts), done)

    def _acknowledge(self, alert_id: int, answer: Acknowledgement) -> None:
        operator = self.console_app.operator
        self.console_app.operate(
            lambda: operator.acknowledge([alert_id], answer.note, answer.lasts, sticky=answer.lasts is None),
            f"acknowledged #{alert_id} {answer.until}",
            undo=(
                "acknowledge",
                lambda: operator.unacknowledge([alert_id]),
                f"took back the acknowledgement of #{alert_id}",
            ),
        )

    def do_resolve(self) -> None:
        alert_id = self.context().alert_id
        if alert_id is None:
            return
        operator, app = self.console_app.operator, self.console_app

        def done(note: str | None) -> None:
            if note is not None:
                app.operate(lambda: operator.resolve([alert_id], note), f"resolved #{alert_id}")

        app.push_screen(ResolveDialog(alert_id, self.alert_title()), done)
