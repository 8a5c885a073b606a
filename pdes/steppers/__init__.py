"""Time steppers: (equation, dt) -> step(u_hat), pure, for one unbatched state."""

from .cn_rk2 import cn_rk2
from .cn_rk4 import cn_rk4
from .etdrk4 import etdrk4
from .ifrk4 import ifrk4
from .imex_cn import imex_cn
from .rollout import rollout

__all__ = ["cn_rk2", "cn_rk4", "etdrk4", "ifrk4", "imex_cn", "rollout"]
