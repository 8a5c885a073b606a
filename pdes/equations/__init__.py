"""Evolution equations on periodic boxes: one file per equation, one interface."""

from .advection_diffusion import AdvectionDiffusion
from .allen_cahn import AllenCahn
from .base import Equation
from .boussinesq import Boussinesq
from .burgers import Burgers
from .cahn_hilliard import CahnHilliard
from .fisher_kpp import FisherKPP
from .gray_scott import GrayScott
from .korteweg_de_vries import KortewegDeVries
from .kuramoto_sivashinsky import KuramotoSivashinsky
from .navier_stokes import NavierStokes
from .navier_stokes_velocity import NavierStokesVelocity
from .schroedinger import Schroedinger
from .shallow_water import ShallowWater
from .vector_burgers import VectorBurgers
from .wave import Wave

__all__ = [
    "AdvectionDiffusion",
    "AllenCahn",
    "Boussinesq",
    "Burgers",
    "CahnHilliard",
    "Equation",
    "FisherKPP",
    "GrayScott",
    "KortewegDeVries",
    "KuramotoSivashinsky",
    "NavierStokes",
    "NavierStokesVelocity",
    "Schroedinger",
    "ShallowWater",
    "VectorBurgers",
    "Wave",
]
