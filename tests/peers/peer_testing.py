"""What the tests of this folder share: the recorded configurations, and a distance."""

import json
from pathlib import Path

import numpy as np
from flax import nnx

import operators
from operators.layers.spectral_conv import SpectralConv

RECORDED = np.load(Path(__file__).parents[1] / "fixtures" / "neuraloperator.npz")
NAMES = sorted({key.split("/")[0] for key in RECORDED.files if "/" in key})


def relative(got, want) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(np.asarray(got) - want) / np.linalg.norm(want))


def unpacked(configuration: dict, row: np.ndarray) -> dict[str, np.ndarray]:
    """One long row -> arrays by the library's names."""
    values, begin = {}, 0
    for name, shape, is_complex in configuration["parameters"]:
        end = begin + (1 + is_complex) * int(np.prod(shape))
        part = row[begin:end].view(complex) if is_complex else row[begin:end]
        values[name], begin = part.reshape(shape), end
    assert begin == len(row)
    return values


def build(configuration: dict) -> tuple[nnx.Module, tuple[int, ...] | None]:
    """Our abstract operator, and the grid of its output where it is another one."""
    options = dict(configuration["options"])
    output_shape = options.pop("output_shape", None)
    kind = SpectralConv if configuration["class"] == "SpectralConv" else getattr(operators, configuration["class"])
    operator = nnx.eval_shape(lambda: kind(**options, rngs=nnx.Rngs(0)))
    return operator, output_shape and tuple(output_shape)


def channels_last(u: np.ndarray) -> np.ndarray:
    return np.moveaxis(u, 1, -1)


def recorded(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What a configuration is made of, and its arrays."""
    arrays = {key.split("/")[1]: RECORDED[key] for key in RECORDED.files if key.startswith(name + "/")}
    return json.loads(arrays.pop("configuration").item()), arrays
