"""Drawing with characters: pure functions from numbers to lines. Nothing here knows widgets or colours."""
