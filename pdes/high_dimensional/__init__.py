"""Equations in as many dimensions as one likes, with exact solutions, given at random points instead of on a grid."""

from .ball_equations import BallAllenCahn, BallPoisson, BallSineGordon
from .constraints import Terminal, UnitBall
from .hamilton_jacobi_bellman import HamiltonJacobiBellman
from .point_problem import PointProblem

__all__ = [
    "BallAllenCahn",
    "BallPoisson",
    "BallSineGordon",
    "HamiltonJacobiBellman",
    "PointProblem",
    "Terminal",
    "UnitBall",
]
