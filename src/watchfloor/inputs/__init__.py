"""Kinds of log sources, one file each."""
