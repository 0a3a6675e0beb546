"""The parts of the table of actions, one file for each area; `watchfloor.console.actions` puts them together."""
