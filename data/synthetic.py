"""An instant operator-learning task with an exact solution, for smoke runs and tests."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from pdes.equations import AdvectionDiffusion
from pdes.generators import FieldInfo, Generator
from pdes.generators.checks import check_not_negative, check_positive, check_shape, check_whole
from spectral.filters import resize
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn


@dataclasses.dataclass(frozen=True)
class HeatFlow(Generator):
    """Band-limited random initial temperature to the temperature at a later time, on a periodic box.

    u_t = kappa Lap u, so u_hat(k, T) = exp(-kappa |k|^2 T) u_hat(k, 0): exact, without time steps. The initial
    field interpolates white noise given at 2 `num_modes` + 1 points per axis, damped by 1 / (1 + |k|^2): the same
    function whatever the grid.

    Args:
        shape: points per axis of the solver grid, at least 2 `num_modes` + 1 each.
        length: side of the box.
        num_modes: largest frequency of the initial field, in periods per side.
        diffusivity: kappa, length^2 / time.
        time: T.

    Raises:
        ValueError: for a grid that is too coarse for `num_modes`, or numbers out of range.

    Accuracy: round-off, on every grid that holds the modes.
    """

    name: ClassVar[str] = "heat"
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"temperature": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"temperature": (-1,)}

    shape: tuple[int, ...] = (32, 32)
    length: float = 2 * math.pi
    num_modes: int = 4
    diffusivity: float = 0.05
    time: float = 1.0

    def __post_init__(self) -> None:
        check_shape(self)
        check_whole(self, "num_modes")
        check_positive(self, "length")
        check_not_negative(self, "diffusivity", "time")
        if min(self.shape) < 2 * self.num_modes + 1:
            raise ValueError(
                f"shape: got {self.shape}, wanted at least {2 * self.num_modes + 1} points per axis to hold "
                f"{self.num_modes} modes; take a finer grid or fewer modes"
            )

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (self.length,))

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {"temperature": FieldInfo((0.0, self.time), "1", "temperature at the start and at time T")}

    def flow(self, grid: Grid) -> AdvectionDiffusion:
        """The heat equation."""
        return AdvectionDiffusion(grid, (0.0,) * grid.ndim, self.diffusivity)

    def parameters(self) -> dict[str, float | str]:
        return {"diffusivity": self.diffusivity, "time": self.time, "num_modes": float(self.num_modes)}

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """One sample: temperature [2, *shape] on the solver grid."""
        axes = tuple(range(len(self.shape)))
        k2 = self.grid.wavenumber_squared
        side = 2 * self.num_modes + 1
        # Drawn flat: a draw of several axes takes XLA seconds to compile, for the same values.
        noise = jax.random.normal(key, (side ** len(self.shape),)).reshape((side,) * len(self.shape))
        start = rfftn(resize(noise, self.shape, axes), axes) / (1 + k2)
        end = start * np.exp(-self.diffusivity * k2 * self.time)
        return {"temperature": irfftn(jnp.stack([start, end]), self.shape, tuple(a + 1 for a in axes))}
