"""Watchfloor: the operations room of a small team, in one terminal."""

__version__ = "0.1.0"
