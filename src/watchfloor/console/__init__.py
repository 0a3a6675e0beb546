"""The console: a Textual application that reads boards from the store and acts through operations."""
