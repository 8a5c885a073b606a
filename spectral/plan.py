"""Which transform backend is faster where: a small cost model over measured device constants.

    print(plan((256, 256), (16, 16), channels=32, batch=4))

Every axis of a transform is one stage that takes the longer of its arithmetic and its memory traffic. The choice of
backend "auto" is overridden by the argument `backend=` of a transform, or for a whole process by the environment
variable SPECTRAL_BACKEND (fft or matmul), which is read when a function is traced.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from ._modes import Basis, kept_shape

OVERRIDE = "SPECTRAL_BACKEND"
BACKENDS = ("fft", "matmul")


@dataclasses.dataclass(frozen=True)
class Device:
    """Rates of one kind of device: operations, or bytes, per second.

    Args:
        product: float32 matrix products at HIGHEST precision.
        product64: the same in float64.
        fft: arithmetic of float32 transforms, counted as 2.5 N log2 N for N real points; half of it in float64.
        bandwidth: reading plus writing of large arrays, and of transposes.
        overhead: seconds that a stage takes however small it is.
    """

    product: float
    product64: float
    fft: float
    bandwidth: float
    overhead: float


# "cpu" is measured (`python -m benchmarks.transforms --calibrate`) on two busy cores: more or quieter ones raise all
# rates alike, and the choice rests on their ratios. The others are halves of published peaks, not measurements.
# HIGHEST costs a TPU six bfloat16 passes, and keeps float32 products off the reduced-precision units of a GPU.
# The first key that starts the device's kind, in lower case, is used.
DEVICES: Mapping[str, Device] = {
    "cpu": Device(24e9, 9e9, 2.4e9, 2e9, 100e-6),
    "nvidia a100": Device(10e12, 9e12, 5e12, 0.8e12, 5e-6),
    "nvidia h": Device(30e12, 30e12, 15e12, 1.7e12, 5e-6),
    "nvidia": Device(10e12, 0.3e12, 5e12, 0.3e12, 5e-6),
    "tpu v4": Device(23e12, 0.2e12, 0.5e12, 0.6e12, 5e-6),
    "tpu v5p": Device(38e12, 0.3e12, 0.5e12, 1.3e12, 5e-6),
    "tpu v5": Device(16e12, 0.2e12, 0.5e12, 0.4e12, 5e-6),
    "tpu v6": Device(76e12, 0.3e12, 0.5e12, 0.8e12, 5e-6),
    "tpu": Device(16e12, 0.2e12, 0.5e12, 0.4e12, 5e-6),
    "": Device(10e12, 0.3e12, 5e12, 0.3e12, 5e-6),
}


@dataclasses.dataclass(frozen=True)
class Cost:
    """Expected work of a forward and an inverse transform together."""

    flops: float
    bytes: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """The chosen backend, why, and what the choice was for."""

    backend: str
    reason: str
    problem: str
    costs: Mapping[str, Cost]

    def __str__(self) -> str:
        lines = [self.problem, f"{'backend':<10}{'GFLOP':>10}{'MB moved':>12}{'expected ms':>14}"]
        for name, cost in self.costs.items():
            mark = f"  <- {self.reason}" if name == self.backend else ""
            numbers = f"{cost.flops / 1e9:>10.3f}{cost.bytes / 1e6:>12.1f}{1e3 * cost.seconds:>14.3f}"
            lines.append(f"{name:<10}{numbers}{mark}")
        return "\n".join(lines)


def device_constants(kind: str) -> Device:
    """Rates of a device kind, such as "cpu", "NVIDIA H100 80GB HBM3" or "TPU v5 lite"."""
    return next(rates for prefix, rates in DEVICES.items() if kind.lower().startswith(prefix))


def _fft_work(size: int) -> float:
    """Operations of one real transform of `size` points."""
    rest, largest = size, 1
    for p in range(2, math.isqrt(size) + 1):
        while rest % p == 0:
            rest, largest = rest // p, p
    largest = max(largest, rest)
    if largest <= 13:
        return 2.5 * size * math.log2(max(size, 2))
    # A large prime factor: by a convolution, two transforms of more than twice the length.
    padded = 2 * size
    return 2 * 2.5 * padded * math.log2(padded)


def _fft_cost(shape: Sequence[int], kept: Sequence[int], channels: int, batch: int, item: int, d: Device) -> Cost:
    """Stages from the last axis to the first, each on an array already cut on the axes after it."""
    flops = moved = seconds = 0.0
    others = math.prod(shape) * channels * batch
    for axis in reversed(range(len(shape))):
        size, is_first = shape[axis], axis == len(shape) - 1
        lines = others // size * (1 if is_first else 2)  # a complex line is two real ones
        work = lines * _fft_work(size)
        # Read and written once, and once more by the transpose that brings the axis to the end of memory.
        copies = 2 if channels == 1 and is_first else 4
        traffic = item * copies * lines * size
        flops, moved = flops + work, moved + traffic
        seconds += max(work / d.fft * (item / 4), traffic / d.bandwidth) + d.overhead
        others = others // size * kept[axis]
    return Cost(2 * flops, 2 * moved, 2 * seconds)


def _matmul_cost(shape: Sequence[int], columns: Sequence[int], channels: int, batch: int, item: int, d: Device) -> Cost:
    """One product per axis, in the order `_matmul` takes them."""
    flops = moved = seconds = 0.0
    rate = d.product if item == 4 else d.product64
    elements = math.prod(shape) * channels * batch
    axes = range(len(shape)) if channels > 1 else reversed(range(len(shape)))
    for axis in axes:
        size, m = shape[axis], columns[axis]
        work = 2.0 * elements * m
        traffic = item * elements * (1 + m / size)
        flops, moved = flops + work, moved + traffic
        seconds += max(work / rate, traffic / d.bandwidth) + d.overhead
        elements = elements // size * m
    return Cost(2 * flops, 2 * moved, 2 * seconds)


@functools.lru_cache(maxsize=1024)
def _costs(
    shape: tuple[int, ...],
    n_modes: tuple[int, ...],
    channels: int,
    batch: int,
    item: int,
    device: Device,
    basis: Basis,
) -> dict[str, Cost]:
    kept = kept_shape(n_modes, shape, basis)
    columns = (
        kept if basis == "cosine" else tuple(2 * (min(n, s) // 2) + 1 for n, s in zip(n_modes, shape, strict=True))
    )
    return {
        "fft": _fft_cost(shape, kept, channels, batch, item, device),
        "matmul": _matmul_cost(shape, columns, channels, batch, item, device),
    }


def plan(
    shape: Sequence[int],
    n_modes: Sequence[int],
    *,
    channels: int = 1,
    batch: int = 1,
    dtype: np.typing.DTypeLike = np.float32,
    device: str | None = None,
    basis: Basis = "fourier",
) -> Plan:
    """Chooses the backend of a truncated transform.

    Args:
        shape: points per axis.
        n_modes: modes per axis, as in `spectral.transforms.forward`.
        channels: elements behind the spatial axes in memory (1 when channels come first).
        batch: elements in front of them.
        dtype: of the field.
        device: a device kind; the default device's without it.
        basis: "fourier" or "cosine".

    Returns:
        The plan; `.backend` is "fft" or "matmul", and printing it shows the costs.

    Raises:
        ValueError: when SPECTRAL_BACKEND holds anything but a backend.

    Accuracy:
        A model: right about the order of magnitude, so also about the choice away from the point where both
        backends take the same time. `python -m benchmarks.transforms` shows both on this machine.
    """
    kind = jax.devices()[0].device_kind if device is None else device
    shape, n_modes = tuple(shape), tuple(n_modes)
    item = 8 if np.dtype(dtype) in (np.dtype(np.float64), np.dtype(np.complex128)) else 4
    costs = _costs(shape, n_modes, channels, batch, item, device_constants(kind), basis)
    forced = os.environ.get(OVERRIDE, "")
    if forced and forced not in BACKENDS:
        raise ValueError(f"{OVERRIDE}: got {forced!r}, wanted one of {BACKENDS}, or nothing")
    backend, reason = (forced, OVERRIDE) if forced else (min(costs, key=lambda b: costs[b].seconds), "fastest")
    problem = (
        f"{basis}, shape {shape}, modes {n_modes}, batch {batch}, channels {channels}, "
        f"float{8 * item}, {kind} (forward + inverse)"
    )
    return Plan(backend, reason, problem, costs)
