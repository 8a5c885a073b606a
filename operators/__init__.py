"""Neural operators: maps between functions that are learnt from pairs of samples."""

from .afno import AFNONet
from .dpot import DPOT
from .ffno import FFNO
from .fno import FNO
from .mgtfno import MGTFNO
from .modafno import ModAFNO
from .st_fno import STFNO
from .tfno import TFNO
from .uno import UNO

__all__ = ["DPOT", "FFNO", "FNO", "MGTFNO", "STFNO", "TFNO", "UNO", "AFNONet", "ModAFNO"]
