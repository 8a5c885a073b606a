"""Incompressible flow past a body in the plane, in the mean over time."""

from .axis import Axis, stretched_axis
from .mean_flow import MeanFlow, mean_flow, window
from .tunnel import Flow, Tunnel
from .walls import Body, solid_fraction, wall_damping

__all__ = [
    "Axis",
    "Body",
    "Flow",
    "MeanFlow",
    "Tunnel",
    "mean_flow",
    "solid_fraction",
    "stretched_axis",
    "wall_damping",
    "window",
]
