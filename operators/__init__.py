"""Neural operators: maps between functions that are learnt from pairs of samples."""

from .afno import AFNONet
from .dpot import DPOT
from .ffno import FFNO
from .fno import FNO
from .interpolation import Interpolation
from .mgtfno import MGTFNO
from .modafno import ModAFNO
from .rollout import Rollout
from .st_fno import STFNO
from .t1 import T1
from .t1_plus import T1Plus
from .tfno import TFNO
from .unet import UNet
from .uno import UNO

__all__ = [
    "DPOT",
    "FFNO",
    "FNO",
    "MGTFNO",
    "STFNO",
    "T1",
    "TFNO",
    "UNO",
    "AFNONet",
    "Interpolation",
    "ModAFNO",
    "Rollout",
    "T1Plus",
    "UNet",
]
