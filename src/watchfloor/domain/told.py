"""Whom a test of a rule is told, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """``told`` are channels, with the person where it is for one; ``left_out`` says of others why they are not told.

    ``about`` is the thing that the test speaks of; empty: the rule covers none, and it is made up.
    """

    told: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    about: str = ""

    def words(self, rule: str) -> str:
        """As a sentence.

        >>> Told(("chat", "kim on phone"), ("pager is switched off",), "shop").words("slow")
        'a test of slow about shop is on its way to chat, kim on phone; pager is switched off'
        """
        about = f" about {self.about}" if self.about else ""
        told = f"a test of {rule}{about} is on its way to {', '.join(self.told)}"
        return "; ".join((told, *self.left_out))
