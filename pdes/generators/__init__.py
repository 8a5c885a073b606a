"""Sources of training samples: a frozen dataclass of plain numbers, called with a key."""

from .airfoil import AirfoilFlow
from .base import FieldInfo, Generator
from .burgers import BurgersFlow
from .darcy import DarcyFlow
from .globe import GlobalVorticity
from .gp_darcy import GPDarcy
from .gp_poisson import GPPoisson
from .helmholtz import Helmholtz
from .lossy_helmholtz import LossyHelmholtz
from .ns_3d import NavierStokes3D
from .ns_decaying import NavierStokesDecaying
from .ns_forcing import NavierStokesForcing
from .ns_kolmogorov import NavierStokesKolmogorov
from .ns_li import NavierStokesLi
from .ns_taylor_green import NavierStokesTaylorGreen
from .random_start import RandomStart
from .shallow_water import ShallowWaterFlow
from .smoke import Smoke
from .trajectory import Trajectory

__all__ = [
    "AirfoilFlow",
    "BurgersFlow",
    "DarcyFlow",
    "FieldInfo",
    "GPDarcy",
    "GPPoisson",
    "Generator",
    "GlobalVorticity",
    "Helmholtz",
    "LossyHelmholtz",
    "NavierStokes3D",
    "NavierStokesDecaying",
    "NavierStokesForcing",
    "NavierStokesKolmogorov",
    "NavierStokesLi",
    "NavierStokesTaylorGreen",
    "RandomStart",
    "ShallowWaterFlow",
    "Smoke",
    "Trajectory",
]
