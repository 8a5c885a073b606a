"""Weights from and to other libraries, as NumPy arrays under their names."""

from .neuraloperator import load_neuraloperator, to_neuraloperator

__all__ = ["load_neuraloperator", "to_neuraloperator"]
