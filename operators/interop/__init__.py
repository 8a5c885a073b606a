"""Weights from and to other libraries, as NumPy arrays under their names."""

from .afno import load_afno, load_modafno
from .neuraloperator import load_neuraloperator, to_neuraloperator

__all__ = ["load_afno", "load_modafno", "load_neuraloperator", "to_neuraloperator"]
