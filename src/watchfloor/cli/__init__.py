"""Commands: the only place that puts a console and an engine together."""
