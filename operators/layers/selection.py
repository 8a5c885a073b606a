"""Which of the stored modes an operator in k-space works on.

A selection takes coefficients on the box of all stored modes, [*box, b, parts, c], to a list of the modes it keeps,
[k, b, parts, c], and back. The error that no operator on those modes can avoid is the energy of the others.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .arguments import choice, refusal, whole


class LowPass(nnx.Module):
    """All modes of the box.

    Args:
        box: stored modes per axis.
    """

    def __init__(self, box: Sequence[int]) -> None:
        self.box = tuple(box)

    @property
    def kept(self) -> int:
        """How many modes are kept."""
        return math.prod(self.box)

    def gather(self, z: Float[Array, "*box b p c"]) -> Float[Array, "k b p c"]:
        """From the box to the list."""
        return z.reshape(-1, *z.shape[-3:])

    def scatter(self, z: Float[Array, "k b p c"]) -> Float[Array, "*box b p c"]:
        """From the list to the box; zeros elsewhere."""
        return z.reshape(*self.box, *z.shape[1:])

    def gate(self, z: Float[Array, "k b p c"]) -> Float[Array, "k b p c"]:
        """What the operator takes in and gives out; here everything."""
        return z

    def mask(self) -> Float[Array, "*box"]:
        """1 for modes that are kept, 0 for the others."""
        listed = jnp.ones((self.kept, 1, 1, 1), jnp.float32)
        return self.scatter(self.gate(listed))[..., 0, 0, 0]

    def fit(self, energy: Float[Array, "*box"]) -> None:
        """Learn from the mean energy of every mode of the targets, before training; here nothing."""


class TopEnergy(LowPass):
    """The modes with the largest mean energy: of all sets of that size the one with the least residual.

    Which ones they are is state that `fit` finds and a checkpoint keeps. Until then they are the lowest ones.

    Args:
        box: stored modes per axis.
        kept: how many of them.
        origin: where the constant mode is.

    Source: sum over the kept set of E|y_k|^2 is largest for the largest summands; sort and take.
    """

    def __init__(self, box: Sequence[int], kept: int, origin: Sequence[int]) -> None:
        super().__init__(box)
        self.indices = nnx.BatchStat(jnp.asarray(np.sort(_ranked(box, origin)[:kept]), jnp.int32))

    @property
    def kept(self) -> int:
        return self.indices.shape[0]

    def gather(self, z: Float[Array, "*box b p c"]) -> Float[Array, "k b p c"]:
        return z.reshape(-1, *z.shape[-3:])[self.indices[...]]

    def scatter(self, z: Float[Array, "k b p c"]) -> Float[Array, "*box b p c"]:
        full = jnp.zeros((math.prod(self.box), *z.shape[1:]), z.dtype)
        return (
            full.at[self.indices[...]]
            .set(z, unique_indices=True, indices_are_sorted=True)
            .reshape(*self.box, *z.shape[1:])
        )

    def fit(self, energy: Float[Array, "*box"]) -> None:
        _, indices = jax.lax.top_k(energy.reshape(-1), self.kept)
        self.indices[...] = jnp.sort(indices).astype(jnp.int32)


class Learnt(LowPass):
    """The modes with the largest trained scores; every mode has weights, and the best `limit` of them take part.

    g z with a gate g in {0, 1} per mode: 1 for the largest scores. Going backwards the gate is sigmoid(score), for the
    score and for what is behind it (straight through): a mode outside has a gradient by which it would reduce the loss,
    learns what to contribute, and comes in when its score overtakes. Scores begin in the order of frequency, or of
    energy after `fit`.

    Args:
        box: stored modes per axis.
        limit: how many of them take part.
        origin: where the constant mode is.

    Source: the straight-through estimator of Bengio, Leonard and Courville 2013, with a budget.
    """

    def __init__(self, box: Sequence[int], limit: int, origin: Sequence[int]) -> None:
        super().__init__(box)
        self.limit = limit
        order = np.empty(math.prod(box))
        order[_ranked(box, origin)] = np.linspace(1, -1, len(order))
        self.scores = nnx.Param(jnp.asarray(order, jnp.float32))

    def gate(self, z: Float[Array, "k b p c"]) -> Float[Array, "k b p c"]:
        scores = self.scores[...]
        _, best = jax.lax.top_k(jax.lax.stop_gradient(scores), self.limit)
        hard = jnp.zeros_like(scores).at[best].set(1.0)
        soft = jax.nn.sigmoid(scores)
        hard, soft = (g[:, None, None, None] for g in (hard, soft))
        through = z * soft
        return through + jax.lax.stop_gradient(z * hard - through)

    def fit(self, energy: Float[Array, "*box"]) -> None:
        order = jnp.argsort(-energy.reshape(-1))
        self.scores[...] = jnp.zeros(order.shape).at[order].set(jnp.linspace(1, -1, len(order)))


Selection = LowPass
KINDS = ("low_pass", "top_energy", "learnt")


def make_selection(kind: Any, box: tuple[int, ...], kept: Any, origin: tuple[int, ...]) -> Selection:
    """A selection by its name.

    Args:
        kind: "low_pass", "top_energy" or "learnt".
        box: stored modes per axis.
        kept: how many modes take part; None with "low_pass".
        origin: where the constant mode is.

    Raises:
        ValueError: for another name, a count with "low_pass", or none or too large a one without.
    """
    choice("selection", kind, KINDS)
    total = math.prod(box)
    if kind == "low_pass":
        if kept is not None:
            raise refusal("kept_modes", kept, 'None with selection="low_pass"', "lower n_modes, or choose top_energy")
        return LowPass(box)
    if kept is None or whole("kept_modes", kept) > total:
        fix = f"such as {total // 4}" if kept is None else "lower it, or raise n_modes"
        raise refusal("kept_modes", kept, f"a number of modes up to the {total} stored ones {box}", fix)
    return (TopEnergy if kind == "top_energy" else Learnt)(box, int(kept), origin)


def _ranked(box: Sequence[int], origin: Sequence[int]) -> np.ndarray:
    """Flat indices from the constant mode outwards, frequencies measured by their share of the box."""
    lines = [np.abs(np.arange(n) - zero) / max(n - zero, 1) for n, zero in zip(box, origin, strict=True)]
    distance = sum(line**2 for line in np.meshgrid(*lines, indexing="ij"))
    return np.argsort(np.asarray(distance).reshape(-1), kind="stable")
