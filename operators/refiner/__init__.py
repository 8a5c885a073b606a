"""Refinement of predicted trajectories by the equation behind them, with an a posteriori estimate of their error."""

from .descent import LBFGS, Adam
from .differences import Differences
from .estimator import Estimator, bochner_norm
from .newton import Newton
from .refiner import Refined, Refiner
from .shooting import Shooting
from .solver_step import SolverStep
from .stopping import REASONS, Stopping
from .time_parallel import time_parallel

__all__ = [
    "LBFGS",
    "REASONS",
    "Adam",
    "Differences",
    "Estimator",
    "Newton",
    "Refined",
    "Refiner",
    "Shooting",
    "SolverStep",
    "Stopping",
    "bochner_norm",
    "time_parallel",
]
