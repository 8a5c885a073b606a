"""Layers that the operators are made of."""
