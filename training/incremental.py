"""Modes that grow while training: the incremental Fourier neural operator (iFNO).

Every spectral weight is stored with all its modes, and only the lowest take part. Those that do not yet are zeros whose
gradient is masked, so their moments in the optimizer stay zero too: the operator is the one with fewer modes, without a
change of any shape. How many take part is a few integers in the training state. So nothing is compiled twice, a resumed
run finds its count in the checkpoint and goes on with the same bits, and evaluation needs to know nothing of it.
The price is that few modes cost as much time as all.

A mode begins at zero, not at random as in the paper: the moment of growth does not change the operator.
"""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32

from operators.layers.arguments import is_number, whole_number
from operators.layers.weights import JointWeight, SpectralWeight

from .component import check
from .spectral_layout import Layout

PyTree = Any


class Growth(NamedTuple):
    """How far it has grown: a part of the training state.

    Args:
        modes: modes that take part, per spatial axis, both signs counted; the same for every layer.
        total: sum of the losses of the epoch so far.
        previous: mean loss of the epoch before; infinite in the first.
    """

    modes: Int32[Array, "d"]
    total: Float[Array, ""]
    previous: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Rule(abc.ABC):
    """When to take more modes; asked at the end of every epoch.

    Args:
        start: modes per axis at first, both signs counted.
        step: how many are added at once.
    """

    start: int = 4
    step: int = 2

    def __post_init__(self) -> None:
        for name in ("start", "step"):
            value = getattr(self, name)
            check(name, value, whole_number(value) is not None and value >= 1, "a whole number of modes, at least 1")

    @abc.abstractmethod
    def grows(
        self, previous: Float[Array, ""], mean: Float[Array, ""], model: nnx.Module, modes: Int32[Array, "d"]
    ) -> Bool[Array, "d"]:
        """Which axes get more modes.

        Args:
            previous: mean training loss of the epoch before the last.
            mean: of the last.
            model: the operator.
            modes: counts now.
        """


@dataclasses.dataclass(frozen=True)
class LossGap(Rule):
    """More modes on every axis once the mean loss of an epoch differs from that before by `tolerance` at most.

    Args:
        start, step: see `Rule`.
        tolerance: in units of the training loss.

    Source: George et al., Incremental Spatial and Spectral Learning of Neural Operators, 2024; the trainer of
        neuraloperator 2.0, which grows the first layer alone.
    """

    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        sound = is_number(self.tolerance) and self.tolerance >= 0
        check("tolerance", self.tolerance, sound, "a number, 0 or more")

    def grows(self, previous, mean, model, modes):
        del model
        return jnp.full(modes.shape, jnp.abs(mean - previous) <= self.tolerance)


@dataclasses.dataclass(frozen=True)
class ExplainedVariance(Rule):
    """More modes on an axis whose outermost ones matter: while the others explain too little of some layer.

        explained_j = sum over |W|^2 of the modes inside the count less `buffer` on axis j / sum over all |W|^2

    Args:
        start, step: see `Rule`.
        explained: the axis grows where the smallest ratio of all layers is below this.
        buffer: modes at the edge of the band, both signs counted.

    Source: as `LossGap`; the ratio of squared Frobenius norms is that of the paper. The library takes the variance of
        the norms, of weights that it has summed over steps.
    """

    explained: float = 0.99
    buffer: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        share = is_number(self.explained) and 0 < self.explained < 1
        check("explained", self.explained, share, "a share in (0, 1)")
        fewer = whole_number(self.buffer) is not None and 0 < self.buffer < self.start
        check(
            "growth.buffer", self.buffer, fewer, f"a whole number of modes, at least 1, fewer than start={self.start}"
        )

    def grows(self, previous, mean, model, modes):
        """See `Rule`; forms the dense weights of every layer, once an epoch."""
        del previous, mean
        ratios = []
        for weight in weights(model):
            squared = jnp.abs(weight.dense()) ** 2
            d = len(weight.modes)
            energy = jnp.sum(squared, axis=tuple(range(squared.ndim - d)))
            along = (jnp.sum(energy, axis=tuple(a for a in range(d) if a != j)) for j in range(d))
            inner = (self._inner(weight.modes, j, modes[j]) for j in range(d))
            ratios.append(jnp.stack([jnp.sum(e * b) / jnp.sum(e) for e, b in zip(along, inner, strict=True)]))
        return jnp.min(jnp.stack(ratios), axis=0) < self.explained

    def _inner(self, stored: tuple[int, ...], axis: int, count: Int32[Array, ""]) -> Bool[Array, "k"]:
        """The band without its buffer; of an axis that stores no negative frequencies half of it, at least one."""
        if axis == len(stored) - 1:
            return band(stored, axis, 2 * (count // 2 - max(1, self.buffer // 2)))
        return band(stored, axis, count - self.buffer)


def weights(model: nnx.Module) -> Iterator[SpectralWeight]:
    """The spectral weight of every layer."""
    for _, module in nnx.iter_modules(model):
        if isinstance(module, SpectralWeight):
            yield module
        elif isinstance(module, JointWeight):
            yield from (module.layer(index) for index in range(module.shape[0]))


def band(stored: tuple[int, ...], axis: int, count: Int32[Array, ""]) -> Bool[Array, "k"]:
    """Which stored modes of an axis are among `count`, both signs counted: the window of `mode_window`.

    Args:
        stored: sizes of the mode axes of a weight.
        axis: which of them; the last holds frequencies from 0 on, as for real data.
        count: may be traced; more than are stored takes them all.
    """
    index = jnp.arange(stored[axis])
    if axis == len(stored) - 1:
        return index <= count // 2
    start = stored[axis] // 2 - count // 2
    return (index >= start) & (index < start + count)


class Growing(NamedTuple):
    """A rule at work on one operator.

    Args:
        rule: when to take more modes.
        maximum: modes of the operator.
        layout: of its spectral weights.
        model_of: parameters -> operator.
        steps_per_epoch: optimizer steps between two decisions.
    """

    rule: Rule
    maximum: tuple[int, ...]
    layout: Mapping[str, Layout]
    model_of: Callable[[PyTree], nnx.Module]
    steps_per_epoch: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what `report` gives."""
        return tuple(f"modes_{axis}" for axis in range(len(self.maximum)))

    def init(self) -> Growth:
        """The state before the first step."""
        start = [min(self.rule.start, n) for n in self.maximum]
        return Growth(jnp.array(start, jnp.int32), jnp.zeros(()), jnp.full((), jnp.inf))

    def mask(self, tree: PyTree, state: Growth) -> PyTree:
        """Parameters, or their gradients, with zeros at the modes that do not take part."""

        def masked(path, leaf: Array) -> Array:
            layout = self.layout.get(jax.tree_util.keystr(path, simple=True, separator="/"))
            if layout is None:
                return leaf
            for j, axis in layout.modes.items():
                kept = band(layout.stored, j, state.modes[j])
                leaf = leaf * kept.astype(leaf.dtype).reshape([-1 if a == axis else 1 for a in range(leaf.ndim)])
            return leaf

        return jax.tree_util.tree_map_with_path(masked, tree)

    def advance(self, state: Growth, step: Int32[Array, ""], loss: Float[Array, ""], params: PyTree) -> Growth:
        """The state after a step that had this loss and led to these parameters."""
        total = state.total + loss

        def decide() -> Growth:
            mean = total / self.steps_per_epoch
            more = self.rule.grows(state.previous, mean, self.model_of(params), state.modes)
            modes = jnp.minimum(state.modes + self.rule.step * more, jnp.array(self.maximum, jnp.int32))
            return Growth(modes.astype(jnp.int32), jnp.zeros_like(total), mean)

        last = (step + 1) % self.steps_per_epoch == 0
        return jax.lax.cond(last, decide, lambda: Growth(state.modes, total, state.previous))

    def report(self, state: Growth) -> dict[str, Array]:
        """The counts, for the log."""
        return {name: state.modes[axis].astype(jnp.float32) for axis, name in enumerate(self.metrics)}
