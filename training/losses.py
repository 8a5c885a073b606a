"""Losses: relative norms of the error, one value per sample, the mean over channels.

Every loss is a frozen dataclass that is called with (prediction, target), both [*b, *space, c], and returns [*b].
The training step takes the mean over the batch.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from operators.layers.patching import split as patches
from spectral.grid import Grid
from spectral.norms import inner_product
from spectral.transforms import rfftn

# Keeps the ratio finite for a target that vanishes; absolute, so such samples weigh by their error alone.
EPSILON = 1e-8


@dataclasses.dataclass(frozen=True)
class RelativeL2:
    """Relative L2 error: |u - v| / |v|, per sample and channel, averaged over channels.

    Args:
        extent: side lengths of the domain; sets the number of space axes (the ratio does not depend on them).
        periodic: makes no difference; every loss is built with it.

    Source: Li et al. 2021; the PyTorch library sums over channels where this takes their mean.
    """

    extent: tuple[float, ...]
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", tuple(self.extent))

    def __call__(self, prediction: Float[Array, "*bxc"], target: Float[Array, "*bxc"]) -> Float[Array, "*b"]:
        axes = _space_axes(target.ndim, len(self.extent))
        error, size = (_root(jnp.sum(v**2, axis=axes)) for v in (prediction - target, target))
        return jnp.mean(error / (size + EPSILON), axis=-1)


@dataclasses.dataclass(frozen=True)
class RelativeH1:
    """Relative H1 error with central differences.

    sqrt( (|e|^2 + sum_j |D_j e|^2) / (|v|^2 + sum_j |D_j v|^2) ), e = u - v, with
    D_j v = (v(x + h_j) - v(x - h_j)) / (2 h_j) and h_j = extent_j / n_j. The length of the domain sets the weight
    of the gradient: on [0, 2 pi) it is 39.5 times lighter than on [0, 1).

    On a domain with a boundary the first and last point of an axis take the one-sided difference of order 2,
    (-3 v_0 + 4 v_1 - v_2) / (2 h): a difference across the boundary would compare opposite sides.

    Args:
        extent: side lengths of the domain.
        periodic: whether its opposite sides are one.

    Raises:
        ValueError: where the domain has a boundary and an axis fewer than 3 points.

    Accuracy: D_j multiplies a wave k by sin(k h)/h, so it damps waves near the grid scale; second order in h.
    Source: Kossaifi et al., "Multi-grid tensorized Fourier neural operator" (training loss).
    """

    extent: tuple[float, ...]
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", tuple(self.extent))

    def __call__(self, prediction: Float[Array, "*bxc"], target: Float[Array, "*bxc"]) -> Float[Array, "*b"]:
        axes = _space_axes(target.ndim, len(self.extent))
        difference = _periodic_difference if self.periodic else _bounded_difference

        def squared(v):
            total = v**2
            for axis, length in zip(axes, self.extent, strict=True):
                h = length / v.shape[axis]
                total += (difference(v, axis) / (2 * h)) ** 2
            return jnp.sum(total, axis=axes)

        ratio = squared(prediction - target) / (squared(target) + EPSILON**2)
        return jnp.mean(_root(ratio), axis=-1)


@dataclasses.dataclass(frozen=True)
class RelativeSobolev:
    """Relative error in H^s of a periodic box, by Parseval: |u - v|_s / |v|_s with weights (1 + |k|^2)^s.

    Args:
        extent: side lengths of the domain.
        order: s; 0 is L2, 1 is H1 with exact derivatives, negative orders weigh large scales.
        periodic: whether opposite sides of the domain are one, which Parseval's identity needs.

    Raises:
        ValueError: for a domain that is not periodic.

    Source: Cao et al., "Spectral-Refiner", section on norms; s is the true order here.
    """

    extent: tuple[float, ...]
    order: float = 1.0
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", tuple(self.extent))
        if not self.periodic:
            raise ValueError("loss: got RelativeSobolev with a boundary, wanted a periodic domain; use l2 or h1")

    def __call__(self, prediction: Float[Array, "*bxc"], target: Float[Array, "*bxc"]) -> Float[Array, "*b"]:
        axes = _space_axes(target.ndim, len(self.extent))
        grid = Grid(tuple(target.shape[a] for a in axes), self.extent)

        def norm(v):
            v_hat = rfftn(jnp.moveaxis(v, -1, 0), range(v.ndim - grid.ndim, v.ndim))
            return _root(inner_product(v_hat, v_hat, grid, self.order))

        error, size = norm(prediction - target), norm(target)
        return jnp.mean(error / (size + EPSILON), axis=0)


@dataclasses.dataclass(frozen=True)
class PerPatch:
    """A loss on every patch of the field by itself, averaged over the patches.

    On every axis the field is cut into 2^levels patches, which have a boundary also where the domain has none. A
    relative loss then weighs a calm patch as much as a lively one, and needs nothing of the patches beside it.

    Args:
        extent: side lengths of the domain.
        loss: makes the loss of a patch, called with its `extent` and `periodic`, such as
            `RelativeH1`.
        levels: as those of the operator on patches.
        periodic: whether opposite sides of the domain are one; at levels 0 the patch is the domain.

    Source: Kossaifi et al., "Multi-grid tensorized Fourier neural operator": training without stitching.
    """

    extent: tuple[float, ...]
    loss: Callable[..., Callable[[Array, Array], Array]]
    levels: int
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", tuple(self.extent))
        if self.levels < 0:
            raise ValueError(f"levels: got {self.levels}, wanted 0 or more")
        self._of_patch()  # what the loss refuses, it refuses now

    def _of_patch(self) -> Callable[[Array, Array], Array]:
        extent = tuple(length / 2**self.levels for length in self.extent)
        return self.loss(extent=extent, periodic=self.periodic and not self.levels)

    def __call__(self, prediction: Float[Array, "*bxc"], target: Float[Array, "*bxc"]) -> Float[Array, "*b"]:
        per_patch = self._of_patch()(*(patches(v, len(self.extent), self.levels) for v in (prediction, target)))
        return jnp.mean(per_patch, axis=tuple(range(-len(self.extent), 0)))


@dataclasses.dataclass(frozen=True)
class SpectralL2:
    """`RelativeL2` of fields from their coefficients, for operators that have some (`operators.SpectralOperator`).

        |u - v|^2 = sum over the kept modes |u_k - v_k|^2 + sum over the others |v_k|^2        (Parseval)

    for a prediction u without other modes: the same loss and the same gradient, without a transform of u. The second
    sum, the tail, is a number per sample, so a set is transformed once and an epoch costs the same at any resolution.

    Args:
        extent: side lengths of the domain; sets the number of axes.
        periodic: makes no difference; every loss is built with it.

    Source: Poli et al., "Transform Once", 2022, with the tail, without which losses of different cuts do not compare.
    """

    extent: tuple[float, ...]
    periodic: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", tuple(self.extent))

    def __call__(
        self, prediction: Float[Array, "*b_k_p c"], target: Float[Array, "*b_k_p c"], tail: Float[Array, "*b c"]
    ) -> Float[Array, "*b"]:
        """One loss per sample.

        Args:
            prediction: coefficients [*b, *modes, parts, c].
            target: the same of the target.
            tail: energy of the target's other modes, [*b, c].
        """
        axes = tuple(range(tail.ndim - 1, target.ndim - 1))
        error, size = (_root(jnp.sum(v**2, axis=axes) + tail) for v in (prediction - target, target))
        return jnp.mean(error / (size + EPSILON), axis=-1)


def _space_axes(ndim: int, space: int) -> Sequence[int]:
    return tuple(range(ndim - 1 - space, ndim - 1))


def _periodic_difference(v: Array, axis: int) -> Array:
    """v_{i+1} - v_{i-1} around the box."""
    return jnp.roll(v, -1, axis) - jnp.roll(v, 1, axis)


def _bounded_difference(v: Array, axis: int) -> Array:
    """The same inside, and its extrapolation, exact for parabolas, at the first and last point."""
    n = v.shape[axis]
    if n < 3:
        raise ValueError(f"H1: got an axis of {n} points, wanted at least 3 where the domain has a boundary")

    def part(start: int, stop: int) -> Array:
        return jax.lax.slice_in_dim(v, start, stop, axis=axis)

    first = -3 * part(0, 1) + 4 * part(1, 2) - part(2, 3)
    last = 3 * part(n - 1, n) - 4 * part(n - 2, n - 1) + part(n - 3, n - 2)
    return jnp.concatenate([first, part(2, n) - part(0, n - 2), last], axis)


def _root(squared: Array) -> Array:
    """Square root with derivative 0 at 0: a perfect prediction has a gradient, not 0 times infinity; NaN stays NaN."""
    zero = squared <= 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squared)))
