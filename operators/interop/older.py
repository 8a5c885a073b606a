"""Older layouts of an FNO's parameters, in which the spectral weights of all layers stand together.

The neuraloperator library keeps them in one list, or in one tensor ("joint") whose first axis is that list: up to 0.2
the corners of the spectrum, 2^(d-1) for every layer, in 0.3 one tensor for every layer. With h_j = n_j // 2, a corner
holds the frequencies 0 .. h_j - 1 ("low") or -h_j .. -1 ("high") of every leading axis, and 0 .. h_d - 1 of the last;
the last leading axis is numbered fastest. The original FNO calls its corners weights1, weights2, .. with the first axis
fastest.
"""

import re

import numpy as np

from .layout import Entry, as_complex

_CONVS = "fno_blocks.convs."
_LISTED = re.compile(rf"({re.escape(_CONVS)})?weight\.(\d+)\.(.+)")
_JOINT = re.compile(rf"({re.escape(_CONVS)})weight\.(\D.*)")
_NORM = re.compile(r"(fno_blocks\.norm\.)(\d+)\.")
_ORIGINAL = re.compile(r"weights([1-4])")


def modernise(arrays: dict[str, np.ndarray], wanted: dict[str, Entry]) -> dict[str, np.ndarray]:
    """A state dict in the current layout, from one in the current or an older layout.

    Factorised weights that stand together become dense tensors: no factorisation of each has the same factors.

    Args:
        arrays: state dict in any layout.
        wanted: the parameters to fill; they decide what an older name or an older mode count leaves open.

    Raises:
        ValueError: where the weights that stand together are not those of the operator's layers.
    """
    weights, prefix, rest = _take_weights(arrays)
    result = {}
    for layer, tensor in enumerate(_of_layers(weights, wanted) if weights else []):
        name = f"{prefix}{layer}.weight.tensor" if prefix else "weight.tensor"
        result[name] = _extended(tensor, wanted.get(name))
    # Without an MLP there was one norm in a layer.
    single_norms = bool(weights) and not any("mlp" in name for name in rest)
    for name, value in rest.items():
        if weights and name == f"{prefix}bias" and value.ndim > 1:
            result |= {(f"{prefix}{layer}.bias" if prefix else "bias"): row for layer, row in enumerate(value)}
            continue
        if single_norms:
            name = _NORM.sub(lambda match: f"{match[1]}{2 * int(match[2])}.", name)
        name, value = _renamed(name, value, wanted)
        result[name] = value
    return result


def _of_layers(weights: list[np.ndarray], wanted: dict[str, Entry]) -> list[np.ndarray]:
    """One tensor for every layer, from those or from their corners."""
    layers = sum(name.endswith(("weight.tensor", "weight.factors.factor_0")) for name in wanted)
    corners = 2 ** (weights[0].ndim - 3)
    shapes = sorted({weight.shape for weight in weights})
    if len(shapes) > 1 or len(weights) not in (layers, layers * corners):
        raise ValueError(
            f"state_dict: got {len(weights)} spectral weights of shapes {shapes}, wanted one shape, and {layers} (one "
            f"for every layer) or {layers * corners} (its corners); build the operator with the checkpoint's n_layers"
        )
    if len(weights) == layers:
        return weights
    return [join_corners(weights[i : i + corners]) for i in range(0, len(weights), corners)]


def join_corners(corners: list[np.ndarray]) -> np.ndarray:
    """One tensor over the ascending frequencies -h .. h - 1 of the leading axes, from its 2^(d-1) corners.

    Args:
        corners: [in, out, h_1, .., h_d] each, numbered with the last leading axis fastest, low before high.

    Returns:
        [in, out, 2 h_1, .., 2 h_{d-1}, h_d].
    """
    for axis in range(corners[0].ndim - 2, 1, -1):
        corners = [np.concatenate([high, low], axis) for low, high in zip(corners[::2], corners[1::2], strict=True)]
    return corners[0]


def _take_weights(arrays: dict[str, np.ndarray]) -> tuple[list[np.ndarray], str, dict[str, np.ndarray]]:
    """The weights that stand together, in the library's order, the prefix of their names, and the other arrays."""
    listed: dict[int, dict[str, np.ndarray]] = {}
    joint, original, rest, prefix = {}, {}, {}, ""
    for name, value in arrays.items():
        if match := _LISTED.fullmatch(name):
            prefix = match[1] or ""
            listed.setdefault(int(match[2]), {})[match[3]] = as_complex(value)
        elif match := _JOINT.fullmatch(name):
            prefix = match[1]
            joint[match[2]] = as_complex(value)
        elif match := _ORIGINAL.fullmatch(name):
            original[int(match[1])] = as_complex(value)
        else:
            rest[name] = value
    if joint:
        return list(_tensor(joint)), prefix, rest
    if listed:
        if sorted(listed) != list(range(len(listed))):
            raise ValueError(f"state_dict: got spectral weights {sorted(listed)}, wanted 0, 1, .. without a gap")
        return [_tensor(listed[i]) for i in range(len(listed))], prefix, rest
    corners = [original[i] for i in sorted(original)]
    # weights1 .. weights4 are low-low, high-low, low-high, high-high.
    return [corners[i] for i in (0, 2, 1, 3)] if len(corners) == 4 else corners, "", rest


def _tensor(parts: dict[str, np.ndarray]) -> np.ndarray:
    """The dense tensor of a weight, from its arrays by the library's names."""
    if "tensor" in parts:
        return parts["tensor"]
    factors = [parts[f"factors.factor_{i}"] for i in range(sum(name.startswith("factors.") for name in parts))]
    if "core" in parts:
        tensor = parts["core"]
        for factor in factors:  # the contracted axis is the first one, its rows come last
            tensor = np.tensordot(tensor, factor, (0, 1))
        return tensor
    if "weights" in parts:
        tensor = parts["weights"]
        for factor in factors:
            tensor = tensor[..., None, :] * factor
        return tensor.sum(-1)
    tensor = factors[0]
    for factor in factors[1:]:
        tensor = np.tensordot(tensor, factor, 1)
    return tensor[0, ..., 0]


def _extended(tensor: np.ndarray, wanted: Entry | None) -> np.ndarray:
    """With zeros for the frequency n_d // 2 of the last axis, where the operator stores it: corners end below it."""
    if wanted is None or wanted.shape[-1] != tensor.shape[-1] + 1:
        return tensor
    return np.concatenate([tensor, np.zeros_like(tensor[..., :1])], axis=-1)


def _renamed(name: str, value: np.ndarray, wanted: dict[str, Entry]) -> tuple[str, np.ndarray]:
    """The current name of a pointwise parameter, and its value without axes of length one for every axis of space."""
    name = name.replace("fno_blocks.mlp", "fno_blocks.channel_mlp")
    if name not in wanted and (conv := name.removesuffix("weight") + "conv.weight") in wanted:
        name = conv
    shape = wanted[name].shape if name in wanted else value.shape
    if set(value.shape[len(shape) :]) == {1}:
        value = value.reshape(value.shape[: len(shape)])
    return name, value
