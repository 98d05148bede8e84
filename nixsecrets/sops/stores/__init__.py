"""Stores, one a file format, and which one a name means."""
