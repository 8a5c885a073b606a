"""Neural operators: maps between functions that are learnt from pairs of samples."""

from .afno import AFNONet
from .dpot import DPOT
from .ffno import FFNO
from .fno import FNO
from .mgtfno import MGTFNO
from .modafno import ModAFNO
from .tfno import TFNO
from .uno import UNO

__all__ = ["DPOT", "FFNO", "FNO", "MGTFNO", "TFNO", "UNO", "AFNONet", "ModAFNO"]
