"""Data sets that others made, read as they are published."""
