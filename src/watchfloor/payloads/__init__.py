"""Kinds of jobs, one file each."""
