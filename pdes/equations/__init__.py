"""Evolution equations on periodic boxes: one file per equation, one interface."""

from .base import Equation
from .burgers import Burgers
from .navier_stokes import NavierStokes

__all__ = ["Burgers", "Equation", "NavierStokes"]
