"""Names, shapes and axis orders that the PyTorch library gives to the parameters of an FNO or UNO."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from flax import nnx

from ..fno import FNO
from ..layers.channel_mlp import ChannelMLP
from ..layers.complex_valued import ComplexValued
from ..layers.fno_block import FNOBlock
from ..layers.linear import Linear
from ..layers.norms import AdaIN, BatchNorm, GroupNorm
from ..layers.skips import SoftGating
from ..layers.spectral_conv import SpectralConv
from ..layers.weights import (
    CPTensor,
    CPWeight,
    DenseTensor,
    DenseWeight,
    PairTensor,
    SeparableWeight,
    SpectralWeight,
    TTTensor,
    TTWeight,
    TuckerTensor,
    TuckerWeight,
)
from ..tfno import TFNO
from ..uno import UNO

COUNT = "num_batches_tracked"


@dataclass(frozen=True)
class Entry:
    """One parameter here, and what it looks like there.

    Args:
        parameter: ours; a running statistic counts as one.
        shape: theirs.
        order: their axes in our order; None for the same order.
        pair: axis of (re, im) in ours, for a parameter that is complex there; None for a real one.
    """

    parameter: nnx.Variable
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None
    pair: int | None = None

    def to_ours(self, theirs: np.ndarray) -> np.ndarray:
        """Their array in our layout; only moves numbers."""
        ours = theirs if self.order is None else theirs.transpose(self.order)
        if self.pair is not None:
            ours = np.stack([np.real(ours), np.imag(ours)], axis=self.pair)
        return ours.reshape(self.parameter.shape)

    def to_theirs(self) -> np.ndarray:
        """Our parameter in their layout; only moves numbers."""
        ours = np.array(self.parameter[...])
        if self.pair is not None:
            re, im = np.moveaxis(ours, self.pair, 0)
            ours = np.empty(re.shape, np.result_type(re.dtype, np.complex64))
            ours.real, ours.imag = re, im
        if self.order is None:
            return ours.reshape(self.shape)
        ours = ours.reshape([self.shape[axis] for axis in self.order])
        return np.ascontiguousarray(ours.transpose(np.argsort(self.order)))


def entries(operator: nnx.Module) -> dict[str, Entry]:
    """Every parameter of an FNO, TFNO, UNO or SpectralConv by the library's name for it.

    Raises:
        ValueError: for another module, or one with a parameter that the library does not have.
    """
    if isinstance(operator, SpectralConv):
        found = dict(_of_convolution(operator))
    elif isinstance(operator, FNO | TFNO):
        found = dict(_of_fno(operator.trunk if isinstance(operator, TFNO) else operator))
    elif isinstance(operator, UNO):
        found = dict(_of_uno(operator))
    else:
        raise ValueError(f"operator: got {type(operator).__name__}, wanted an FNO, a TFNO, a UNO or a SpectralConv")
    return complete(operator, found, "neuraloperator")


def complete(operator: nnx.Module, found: dict[str, Entry], library: str) -> dict[str, Entry]:
    """The entries, if they are all parameters of the operator.

    Raises:
        ValueError: for a parameter that the library does not have.
    """
    known = {id(entry.parameter) for entry in found.values()}
    unknown = [path for path, leaf in nnx.iter_graph(operator) if isinstance(leaf, nnx.Param) and id(leaf) not in known]
    if unknown:
        names = ", ".join(".".join(map(str, path)) for path in unknown)
        raise ValueError(f"operator: got parameters without a counterpart in {library} ({names}), wanted none")
    return found


Entries = Iterator[tuple[str, Entry]]


def _of_fno(fno: FNO) -> Entries:
    yield from _under("lifting", _of_layer(_of_mlp, fno.lifting))
    for layer, block in enumerate(fno.blocks):
        yield from _under("fno_blocks", _of_block(block, layer, fno.ndim))
    yield from _under("projection", _of_layer(_of_mlp, fno.projection))


def _of_uno(uno: UNO) -> Entries:
    yield from _under("lifting", _of_layer(_of_mlp, uno.lifting))
    for layer, block in enumerate(uno.blocks):
        # Theirs are networks of one block each.
        yield from _under(f"fno_blocks.{layer}", _of_block(block, 0, uno.ndim))
    for source, skip in uno.horizontal_skips.items():
        yield from _under(f"horizontal_skips.{source}", _of_layer(_of_skip, skip, uno.ndim))
    yield from _under("projection", _of_layer(_of_mlp, uno.projection))


def _of_block(block: FNOBlock, layer: int, ndim: int) -> Entries:
    yield from _under(f"convs.{layer}", _of_convolution(block.conv))
    yield from _under(f"fno_skips.{layer}", _of_layer(_of_skip, block.fno_skip, ndim))
    if block.use_channel_mlp:
        yield from _under(f"channel_mlp.{layer}", _of_layer(_of_mlp, block.channel_mlp))
        yield from _under(f"channel_mlp_skips.{layer}", _of_layer(_of_skip, block.channel_mlp_skip, ndim))
    for index, norm in enumerate((block.norm, getattr(block, "channel_mlp_norm", None))):
        yield from _under(f"norm.{2 * layer + index}", _of_layer(_of_norm, norm))


def _under(prefix: str, found: Entries) -> Entries:
    return ((f"{prefix}.{name}", entry) for name, entry in found)


def _of_layer(of: Callable[..., Entries], layer: nnx.Module | None, *args: Any) -> Entries:
    """Of a pointwise layer: its own entries, or those of the two that it has for complex data."""
    if isinstance(layer, ComplexValued):
        yield from _under("fr", of(layer.fr, *args))
        yield from _under("fi", of(layer.fi, *args))
    else:
        yield from of(layer, *args)


def _of_mlp(mlp: ChannelMLP) -> Entries:
    for i, linear in enumerate(mlp.fcs):
        yield from _under(f"fcs.{i}", _of_linear(linear))


def _of_linear(linear: Linear) -> Entries:
    # Theirs is a convolution of width one.
    yield "weight", Entry(linear.weight, (linear.out_channels, linear.in_channels, 1), order=(1, 0, 2))
    if linear.bias is not None:
        yield "bias", Entry(linear.bias, linear.bias.shape)


def _of_skip(skip: nnx.Module | None, ndim: int) -> Entries:
    if isinstance(skip, Linear):
        yield from _under("conv", _of_linear(skip))
    elif isinstance(skip, SoftGating):
        yield "weight", Entry(skip.weight, (1, math.prod(skip.weight.shape), *[1] * ndim))


def _of_norm(norm: nnx.Module | None) -> Entries:
    match norm:
        case GroupNorm():
            yield "weight", Entry(norm.scale, norm.scale.shape)
            yield "bias", Entry(norm.bias, norm.bias.shape)
        case BatchNorm():
            ours = {"weight": norm.scale, "bias": norm.bias, "running_mean": norm.mean, "running_var": norm.variance}
            yield from ((f"norm.{name}", Entry(parameter, parameter.shape)) for name, parameter in ours.items())
        case AdaIN():
            # Theirs has the activation in between.
            for index, linear in zip((0, 2), norm.mlp, strict=True):
                shape = (linear.out_channels, linear.in_channels)
                yield f"mlp.{index}.weight", Entry(linear.weight, shape, order=(1, 0))
                if linear.bias is not None:
                    yield f"mlp.{index}.bias", Entry(linear.bias, linear.bias.shape)


def _of_convolution(conv: SpectralConv) -> Entries:
    if conv.bias is not None:
        yield "bias", Entry(conv.bias, (conv.out_channels, *[1] * conv.ndim))
    if conv.weight is not None:
        yield from _under("weight", _of_weight(conv.weight))


def _of_weight(weight: SpectralWeight) -> Entries:
    if isinstance(weight, SeparableWeight):
        yield from _of_tensor(weight.tensor)
        return
    d = len(weight.modes)
    # Channels lie behind the modes here and before them there.
    behind = (*range(2, d + 2), 0, 1)
    match weight:
        case DenseWeight():
            yield "tensor", Entry(weight.tensor, (weight.in_channels, weight.out_channels, *weight.modes), behind, d)
        case TuckerWeight():
            *modes, p, q = weight.core.shape[1:]
            yield "core", Entry(weight.core, (p, q, *modes), behind, 0)
        case CPWeight():
            yield "weights", Entry(weight.scales, weight.scales.shape[1:], pair=0)
    if isinstance(weight, TuckerWeight | CPWeight | TTWeight):
        for i, factor in enumerate(weight.factors):
            yield f"factors.factor_{i}", Entry(factor, factor.shape[1:], pair=0)


def _of_tensor(tensor: PairTensor) -> Entries:
    match tensor:
        case DenseTensor():
            yield "tensor", Entry(tensor.tensor, tensor.shape, pair=0)
        case TuckerTensor():
            yield "core", Entry(tensor.core, tensor.core.shape[1:], pair=0)
        case CPTensor():
            yield "weights", Entry(tensor.scales, tensor.scales.shape[1:], pair=0)
    if isinstance(tensor, TuckerTensor | CPTensor | TTTensor):
        for i, factor in enumerate(tensor.factors):
            yield f"factors.factor_{i}", Entry(factor, factor.shape[1:], pair=0)


def as_complex(value: np.ndarray) -> np.ndarray:
    """Complex numbers from complex ones, or from a last axis of (re, im), which older versions store."""
    if np.iscomplexobj(value) or value.shape[-1:] != (2,):
        return value
    z = np.empty(value.shape[:-1], np.result_type(value.dtype, np.complex64))
    z.real, z.imag = value[..., 0], value[..., 1]
    return z


def as_arrays(state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a state dict, without what says nothing of the function.

    That is the construction arguments, which the library keeps among them, and the count of batches that PyTorch's
    batch norm keeps for averages other than its default.
    """
    skipped = ("_metadata", COUNT)
    return {name: np.asarray(value) for name, value in state_dict.items() if not name.endswith(skipped)}
