"""The engine: one loop per file and the supervisor that restarts them. Never imports the console."""
