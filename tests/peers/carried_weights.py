"""The PyTorch library's names and layouts of an FNO's parameters, and ours. Imports no torch."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from flax import nnx

from operators.layers.spectral_conv import SpectralConv


def carry(operator: nnx.Module, values: Mapping[str, np.ndarray], dtype=jnp.float32) -> None:
    """Set every parameter of an FNO, TFNO or SpectralConv from arrays under the library's names.

    The map is linear and a complex gradient of the library is that with respect to (re, im), so it carries gradients
    as well. Complex arrays are stored as pairs.

    Args:
        operator: ours; may be abstract (`nnx.eval_shape`).
        values: `named_parameters` of the library's network, or their gradients.
        dtype: of the parameters.
    """
    left = len([leaf for _, leaf in nnx.iter_graph(operator) if isinstance(leaf, nnx.Param)])
    for name, value in values.items():
        keys = name.split(".")
        if isinstance(operator, SpectralConv):
            parameter, ours = of_convolution(operator, keys, value)
        else:
            parameter, ours = of_fno(getattr(operator, "trunk", operator), keys, value)
        assert parameter.shape == ours.shape, f"{name}: {parameter.shape} and {ours.shape}"
        parameter.set_value(jnp.asarray(ours, dtype))
        left -= 1
    assert left == 0, f"{left} parameters without a counterpart"


def of_fno(fno, keys: list[str], value: np.ndarray) -> tuple[nnx.Param, np.ndarray]:
    """Our parameter of a name, and the value in our layout."""
    match keys:
        case ["lifting" | "projection" as part, "fcs", i, kind]:
            return of_linear(getattr(fno, part).fcs[int(i)], kind, value)
        case ["fno_blocks", "convs", layer, *rest]:
            return of_convolution(fno.blocks[int(layer)].conv, rest, value)
        case ["fno_blocks", "channel_mlp", layer, "fcs", i, kind]:
            return of_linear(fno.blocks[int(layer)].channel_mlp.fcs[int(i)], kind, value)
        case ["fno_blocks", "fno_skips" | "channel_mlp_skips" as part, layer, *rest]:
            skip = getattr(fno.blocks[int(layer)], part.removesuffix("s"))
            return of_linear(skip, rest[-1], value) if "conv" in rest else (skip.weight, value.reshape(-1))
        case ["fno_blocks", "norm", index, kind]:
            layer, second = divmod(int(index), 2)
            block = fno.blocks[layer]
            norm = block.channel_mlp_norm if second else block.norm
            return (norm.scale if kind == "weight" else norm.bias), value
    raise KeyError(".".join(keys))


def of_linear(linear, kind: str, value: np.ndarray) -> tuple[nnx.Param, np.ndarray]:
    # Theirs is a convolution of width one, [out, in, 1].
    return (linear.weight, value[..., 0].T) if kind == "weight" else (linear.bias, value)


def of_convolution(conv, keys: list[str], value: np.ndarray) -> tuple[nnx.Param, np.ndarray]:
    match keys:
        case ["bias"]:
            return conv.bias, value.reshape(-1)
        case ["weight", "tensor"]:
            return conv.weight.tensor, pair(np.moveaxis(value, (0, 1), (-2, -1)), axis=conv.ndim)
        case ["weight", "core"]:
            return conv.weight.core, pair(np.moveaxis(value, (0, 1), (-2, -1)))
        case ["weight", "weights"]:
            return conv.weight.scales, pair(value)
        case ["weight", "factors", name]:
            return conv.weight.factors[int(name.removeprefix("factor_"))], pair(value)
    raise KeyError(".".join(keys))


def pair(z: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.stack([z.real, z.imag], axis=axis)


def relative(got, want) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(np.asarray(got) - want) / np.linalg.norm(want))
