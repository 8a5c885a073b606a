"""Coordinates of space and time that are added to a lifted trajectory."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .arguments import choice, number, refusal, whole
from .compat import TORCH_CFD


class SpaceTimeEmbedding(nnx.Module):
    """v_c(x, t) = u(x, t) + p_c(x, t): the snapshots in every channel, and in each another known function.

        p = sin 2 pi x_1, cos 2 pi x_1, sin 2 pi x_2, ..,   t / tau,   e^(beta t) sin(pi t / tau),
            e^(beta t) cos(2 pi t / tau), e^(beta t) sin(3 pi t / tau), ..

    x is in units of the sides of the box, and t is physical time since the last snapshot: negative before it. So the
    functions are the same on every grid and at every sampling in time.

    Args:
        channels: of v.
        ndim: spatial axes.
        grid: whether the functions of x are there; without them a shift of the input shifts the output.
        interval: time between two snapshots. May be set anew.
        horizon: tau, by default 100 intervals.
        beta: rate of growth, one over time; best that of the flow's amplitude.
        compat: "torch_cfd" for x_j = i / (N - 1), which is no function of the torus, in place of waves, and t = (i + 1)
            intervals for the i-th snapshot.

    Raises:
        ValueError: for too few channels, or times that are not positive.

    Source: Cao et al., Spectral-Refiner, 2025, and its code.
    """

    def __init__(
        self,
        channels: int,
        ndim: int,
        *,
        grid: bool,
        interval: float,
        horizon: float | None,
        beta: float,
        compat: str | None,
    ) -> None:
        self.channels, self.ndim, self.grid, self.compat = whole("hidden_channels", channels), ndim, grid, compat
        self.interval, self.beta = _positive("interval", interval), beta
        self.horizon = _positive("horizon", 100 * interval if horizon is None else horizon)
        self.waves = 0 if not grid else ndim if compat == TORCH_CFD else 2 * ndim
        if channels < self.waves + 2:
            wanted = f"at least {self.waves + 2}: one for every coordinate of space, time and a function of it"
            raise refusal("hidden_channels", channels, wanted, f"such as hidden_channels={2 * (self.waves + 2)}")

    def __call__(self, u: Float[Array, "b *space t c"]) -> Float[Array, "b *space t c"]:
        """Add the functions to snapshots that are repeated over the channels."""
        *shape, steps = u.shape[1:-1]
        times = np.stack(self._of_time(steps), axis=-1)
        functions = [times.reshape(1, *[1] * self.ndim, *times.shape)]
        if self.grid:
            lines = [self._of_axis(size) for size in shape]
            meshes = [np.meshgrid(*waves, indexing="ij") for waves in zip(*lines, strict=True)]
            # One function of the kind on every axis after the other.
            ordered = [mesh[axis] for axis in range(self.ndim) for mesh in meshes]
            functions.insert(0, np.stack(ordered, axis=-1)[None, ..., None, :])
        full = (1, *shape, steps)
        added = [jnp.broadcast_to(jnp.asarray(f, u.dtype), (*full, f.shape[-1])) for f in functions]
        return u + jnp.concatenate(added, axis=-1)

    def _of_axis(self, size: int) -> list[np.ndarray]:
        if self.compat == TORCH_CFD:
            return [np.linspace(0, 1, size)]
        angles = 2 * np.pi * np.arange(size) / size
        return [np.sin(angles), np.cos(angles)]

    def _of_time(self, steps: int) -> list[np.ndarray]:
        first = 1 if self.compat == TORCH_CFD else 1 - steps
        t = (first + np.arange(steps)) * self.interval
        s = t / self.horizon
        waves = range(1, self.channels - self.waves)
        return [s, *(np.exp(self.beta * t) * (np.sin if j % 2 else np.cos)(np.pi * j * s) for j in waves)]


def _positive(name: str, value: float) -> float:
    found = number(name, value)
    if not found:
        raise refusal(name, value, "a positive time", f"such as {name}=1.0")
    return found


def has_grid(positional_embedding: str | None) -> bool:
    """Whether the name of a positional embedding asks for the coordinates of space."""
    return choice("positional_embedding", positional_embedding, ("grid", None)) is not None
