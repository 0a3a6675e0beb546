"""The rules of Watchfloor, pure: no I/O and no clock. Every function that needs the time takes it."""
