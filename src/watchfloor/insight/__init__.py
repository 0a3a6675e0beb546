"""Kinds of watched databases, one file each."""
