"""Measurements: each a ratio of two things timed alternately in one run."""
