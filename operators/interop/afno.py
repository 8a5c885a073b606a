"""Weights of AFNO networks in the layouts of AFNO-transformer, FourCastNet and PhysicsNeMo; torch is not needed."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from ..afno import AFNONet
from ..afno_classifier import AFNOClassifier
from ..layers.afno_mixer import AFNOMixer
from ..layers.global_filter import GlobalFilter
from ..layers.linear import Linear
from ..layers.norms import LayerNorm
from ..layers.patch_embedding import PatchEmbedding
from ..layers.position_embedding import PositionEmbedding
from ..layers.scale_shift import ScaleShift
from ..layers.weights import DenseTensor, SeparableWeight
from ..modafno import ModAFNO
from .filling import fill
from .layout import Entry, complete

Entries = Iterator[tuple[str, Entry]]

# Not parameters: buffers of PhysicsNeMo.
_BUFFERS = ("device_buffer", "sinusoid_embed.freqs")
_ADVICE = (
    "Build the operator with the options of the checkpoint: channels, grid, patch_size, embed_dim, depth, mlp_ratio, "
    "num_blocks, hidden_size_factor, ..; and with the truncation of its code, see layers.afno_modes."
)


def load_afno(
    operator: AFNONet | AFNOClassifier, state_dict: Mapping[str, Any], *, dtype: DTypeLike | None = None
) -> None:
    """Set every parameter of an AFNO network from a published state dict; all of them, or none if one does not fit.

    The same names serve the classifiers of AFNO-transformer (mixers AFNO2D and GlobalFilter), FourCastNet's AFNONet
    and PhysicsNeMo's AFNO. A prefix "module." is dropped; so is FourCastNet's final norm, which its code never calls,
    where the operator has none.

    Args:
        operator: built with the options of the checkpoint, FourCastNet's and PhysicsNeMo's with
            truncation="fourcastnet"; may be abstract (`nnx.eval_shape`).
        state_dict: arrays, or tensors that NumPy can read, by their names; the one inside the file ("model_state" of
            FourCastNet, "model" of the classifiers).
        dtype: of the parameters; by default the one they have.

    Raises:
        ValueError: for missing or superfluous names and wrong shapes, all listed; the operator is then unchanged.

    Accuracy:
        Outputs agree to round-off, on the grid of the checkpoint.
    """
    arrays = _arrays(state_dict)
    trunk = operator.trunk
    if trunk.final_norm is None:
        arrays = {name: value for name, value in arrays.items() if not name.startswith("norm.")}
    head = operator.head if isinstance(operator, AFNOClassifier) else operator.head.proj
    found = _of_network(trunk.embedding, trunk.position, trunk.blocks, head, trunk.final_norm)
    wanted = complete(operator, dict(found), "its code")
    for name, entry in wanted.items():
        # Rows in NumPy's order there, ascending here.
        if name.endswith("complex_weight") and name in arrays and arrays[name].shape == entry.shape:
            arrays[name] = np.roll(arrays[name], entry.shape[0] // 2, axis=0)
    fill(wanted, arrays, lambda: _ADVICE, dtype=dtype)


def load_modafno(operator: ModAFNO, state_dict: Mapping[str, Any], *, dtype: DTypeLike | None = None) -> None:
    """Set every parameter of a ModAFNO from a state dict of PhysicsNeMo; all of them, or none if one does not fit.

    There the complex scale of a mixer is 1 + i + s; the i goes into the bias that s ends with.

    Args:
        operator: built with the options of the checkpoint and truncation="fourcastnet" (on grids at least as wide as
            high, where both take the same modes); may be abstract (`nnx.eval_shape`).
        state_dict: arrays, or tensors that NumPy can read, by their names; embeddings of the time as sinusoids.
        dtype: of the parameters; by default the one they have.

    Raises:
        ValueError: for missing or superfluous names and wrong shapes, all listed; the operator is then unchanged.

    Accuracy:
        Outputs agree to round-off, on the grid of the checkpoint.
    """
    arrays = _arrays(state_dict)
    wanted = dict(_of_network(operator.embedding, operator.position, operator.blocks, operator.head.proj, None))
    wanted |= dict(_under("mod_embed_net.mlp.0", _of_linear(operator.time.linear)))
    wanted |= dict(_under("mod_additive_proj", _of_linear(operator.of_time)))
    complete(operator, wanted, "PhysicsNeMo")
    for layer, block in enumerate(operator.blocks):
        name = f"blocks.{layer}.filter.scale_shift.net.2.bias"
        _, parts, channels = block.of_mixer.shape
        if parts == 2 and name in arrays and arrays[name].shape == wanted[name].shape:
            imaginary = np.zeros((2, 2, channels), arrays[name].dtype)
            imaginary[0, 1] = 1
            arrays[name] = arrays[name] + imaginary.reshape(-1)
    fill(wanted, arrays, lambda: _ADVICE, dtype=dtype)


def _arrays(state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {
        name.removeprefix("module."): np.asarray(value)
        for name, value in state_dict.items()
        if not name.endswith(_BUFFERS)
    }


def _of_network(
    embedding: PatchEmbedding,
    position: PositionEmbedding | None,
    blocks: nnx.List,
    head: Linear,
    norm: nnx.Module | None,
) -> Entries:
    patch, proj = embedding.patch, embedding.proj
    assert isinstance(proj, Linear)
    d, fields = len(patch), proj.in_channels // math.prod(patch)
    # Theirs is a convolution, ours a product with the points of a patch.
    shape = (proj.out_channels, fields, *patch)
    yield "patch_embed.proj.weight", Entry(proj.weight, shape, order=(*range(2, d + 2), 1, 0))
    if proj.bias is not None:
        yield "patch_embed.proj.bias", Entry(proj.bias, proj.bias.shape)
    if position is not None:
        *tokens, channels = position.vectors.shape
        yield "pos_embed", Entry(position.vectors, (1, math.prod(tokens), channels))
    for layer, block in enumerate(blocks):
        yield from _under(f"blocks.{layer}", _of_block(block))
    if norm is not None:
        yield from _under("norm", _of_norm(norm))
    yield from _under("head", _of_linear(head))


def _of_block(block: Any) -> Entries:
    yield from _under("norm1", _of_norm(block.norm1))
    yield from _under("norm2", _of_norm(block.norm2))
    yield from _under("filter", _of_mixer(block.mixer))
    fc1, fc2 = block.mlp.fcs if hasattr(block, "mlp") else (block.fc1, block.fc2)
    yield from _under("mlp.fc1", _of_linear(fc1))
    yield from _under("mlp.fc2", _of_linear(fc2))
    for name, layer in (("filter", "of_mixer"), ("mlp", "of_mlp")):
        if hasattr(block, layer):
            yield from _under(f"{name}.scale_shift.net", _of_scale_shift(getattr(block, layer)))


def _of_mixer(mixer: nnx.Module) -> Entries:
    match mixer:
        case AFNOMixer():
            for name in ("w1", "b1", "w2", "b2"):
                if (parameter := getattr(mixer, name)) is not None:
                    yield name, Entry(parameter, parameter.shape)
        case GlobalFilter(weight=SeparableWeight(tensor=DenseTensor(tensor=parameter))):
            pair, channels, *modes = parameter.shape
            d = len(modes)
            yield "complex_weight", Entry(parameter, (*modes, channels, pair), order=(d + 1, d, *range(d)))
        case _:
            raise ValueError(f"operator: got a mixer {type(mixer).__name__}, wanted an AFNO or a global filter")


def _of_scale_shift(layer: ScaleShift) -> Entries:
    for index, linear in zip((0, 2), layer.mlp.fcs, strict=True):
        yield from _under(f"{index}", _of_linear(linear))


def _of_linear(linear: Linear) -> Entries:
    yield "weight", Entry(linear.weight, (linear.out_channels, linear.in_channels), order=(1, 0))
    if linear.bias is not None:
        yield "bias", Entry(linear.bias, linear.bias.shape)


def _of_norm(norm: nnx.Module) -> Entries:
    if not isinstance(norm, LayerNorm):
        raise ValueError(f'operator: got {type(norm).__name__}, wanted norm="layer_norm", which these networks have')
    yield "weight", Entry(norm.scale, norm.scale.shape)
    yield "bias", Entry(norm.bias, norm.bias.shape)


def _under(prefix: str, found: Entries) -> Entries:
    return ((f"{prefix}.{name}", entry) for name, entry in found)
