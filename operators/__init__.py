"""Neural operators: maps between functions that are learnt from pairs of samples."""

from .afno import AFNONet
from .ffno import FFNO
from .fno import FNO
from .mgtfno import MGTFNO
from .tfno import TFNO
from .uno import UNO

__all__ = ["FFNO", "FNO", "MGTFNO", "TFNO", "UNO", "AFNONet"]
