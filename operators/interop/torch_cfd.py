"""Weights of the published space-time Fourier neural operator, as NumPy arrays; torch is not needed."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from ..layers.channel_mlp import ChannelMLP
from ..layers.compat import TORCH_CFD
from ..layers.linear import Linear
from ..layers.spectral_conv import SpectralConv
from ..layers.weights import DenseWeight
from ..st_fno import STFNO
from .filling import fill
from .layout import Entry, as_arrays, complete

Entries = Iterator[tuple[str, Entry]]
# (negative, non-negative) frequencies of x and y -> number of the block there.
_BLOCKS = [[3, 1], [2, 0]]


def load_torch_cfd(operator: STFNO, state_dict: Mapping[str, Any], *, dtype: DTypeLike | None = None) -> None:
    """Set every parameter of an `STFNO` from a state dict of torch-cfd's `SFNO`; all of them, or none.

    Args:
        operator: built with compat="torch_cfd", an even number of modes of space and the options of the checkpoint; may
            be abstract (`nnx.eval_shape`).
        state_dict: arrays, or tensors that NumPy can read, by their names.
        dtype: of the parameters; by default the one they have.

    Raises:
        ValueError: for an operator of other numerics, missing or superfluous names and wrong shapes, all listed; the
            operator is then unchanged.

    Accuracy:
        Outputs agree to round-off on grids that hold the modes, for at least T snapshots in.
    """
    if operator.compat != TORCH_CFD or operator.ndim != 2 or operator.fields != 1:
        raise ValueError(
            f"operator: got compat={operator.compat!r}, {operator.ndim} spatial axes, {operator.fields} fields, wanted "
            f'"{TORCH_CFD}", two and one, which the published weights are for'
        )
    wanted = complete(operator, dict(_of_operator(operator)), "torch-cfd")
    arrays = _joined(as_arrays(state_dict))
    fill(wanted, arrays, lambda: "Build the operator with the modes, width and layers of the checkpoint.", dtype=dtype)


def _joined(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The four blocks of frequencies of every weight as one array, in ascending order on both axes of space."""
    parts: dict[str, dict[int, np.ndarray]] = {}
    result = {}
    for name, values in arrays.items():
        stem, _, number = name.rpartition(".")
        if number.isdigit():
            parts.setdefault(stem, {})[int(number)] = values
        else:
            result[name] = values
    for name, blocks in parts.items():
        if sorted(blocks) != [0, 1, 2, 3] or len({block.shape for block in blocks.values()}) > 1:
            raise ValueError(f"state_dict: got {name} in parts {sorted(blocks)}, wanted four of equal shapes")
        x = blocks[0].ndim - 4  # axes end in x, y, t, (re, im)
        rows = [np.concatenate([blocks[i] for i in row], axis=x + 1) for row in _BLOCKS]
        result[name] = np.concatenate(rows, axis=x)
    return result


def _of_operator(operator: STFNO) -> Entries:
    lifting, output = operator.lifting, operator.output
    yield from _under("lifting_operator.norm", iter(_of_norm(lifting.norm)))
    yield from _under("lifting_operator.proj", _of_linear(lifting.linear))
    yield from _of_layer("lifting_operator.sconv", "lifting_operator.mlp", lifting.conv, lifting.mlp)
    for i, block in enumerate(operator.blocks):
        yield from _of_layer(f"spectral_conv.{i}", f"mlp.{i}", block.conv, block.mlp)
        yield from _under(f"w.{i}", _of_linear(block.skip))
    yield from _under("reduction", _of_linear(operator.reduction))
    yield "output_operator.conv.weight", _of_weight(output.weight)
    *modes, pair, _ = output.bias.shape
    yield "output_operator.conv.bias", Entry(output.bias, (*modes, pair))


def _of_layer(conv_name: str, mlp_name: str, conv: SpectralConv, mlp: ChannelMLP) -> Entries:
    assert isinstance(conv.weight, DenseWeight)
    yield f"{conv_name}.weight", _of_weight(conv.weight)
    for i, linear in enumerate(mlp.fcs, 1):
        yield from _under(f"{mlp_name}.linear{i}", _of_linear(linear))


def _of_weight(weight: DenseWeight) -> Entry:
    *modes, pair, i, o = weight.tensor.shape
    return Entry(weight.tensor, (i, o, *modes, pair), order=(2, 3, 4, 5, 0, 1))


def _of_linear(linear: Linear) -> Entries:
    shape = (linear.out_channels, linear.in_channels, 1, 1, 1)
    yield "weight", Entry(linear.weight, shape, order=(1, 0, 2, 3, 4))
    if linear.bias is not None:
        yield "bias", Entry(linear.bias, linear.bias.shape)


def _of_norm(norm: Any) -> list[tuple[str, Entry]]:
    ours: dict[str, nnx.Param] = {"weight": norm.scale, "bias": norm.bias}
    return [(name, Entry(parameter, parameter.shape)) for name, parameter in ours.items()]


def _under(prefix: str, found: Entries) -> Entries:
    return ((f"{prefix}.{name}", entry) for name, entry in found)
