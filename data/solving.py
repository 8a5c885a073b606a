"""Numbers of samples -> samples: the compiled solver on the devices, with the same bits whoever asks."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from pdes.generators import Generator

from .errors import DataError
from .parallel import cores

Shape = tuple[int, ...]
Fields = dict[Shape, dict[str, np.ndarray]]


class Solver:
    """Samples by number: sample i comes from `fold_in(key(seed), i)` alone.

    Every device solves batches of one fixed size by one program, so that the bits depend neither on the number of
    devices nor on the samples beside them. Solved in float64, returned in float32.

    Args:
        generator: solver of the samples.
        seed: of all of them.
        shapes: grids that they are returned on.
        devices: the devices to solve on, those of `solving_devices` by default.
        samples: how many will be asked for; where they are few, not all devices are used. Without end by default.

    Attributes:
        count: samples of one call at most.
        threads: calls that may be at work at a time.
    """

    def __init__(
        self,
        generator: Generator,
        seed: int,
        shapes: Sequence[Shape],
        devices: Sequence[Any] | None = None,
        samples: int | None = None,
    ):
        devices, points = tuple(devices or solving_devices()), generator.grid.size
        if samples is not None:
            devices = _useful(devices, samples, points)
        platform = devices[0].platform
        self.count = len(devices) * batch_size(points, platform)
        self.threads = _threads(platform)
        self._generator, self._seed, self._shapes = generator, seed, tuple(shapes)
        self._program = _compile(generator, self._shapes, devices, self.count)

    def __call__(self, indices: np.ndarray) -> Fields:
        """The samples of these numbers, at most `count`: shape to field to float32 (samples, t, *space).

        Raises:
            FloatingPointError: where the solver left the finite numbers; names the sample.
        """
        asked = len(indices)
        filled = np.resize(indices, self.count).astype(np.uint32)  # the batch is always full
        made = jax.device_get(self._program(np.uint32(self._seed), filled))
        found = {
            shape: {name: values[:asked] for name, values in made[i].items()} for i, shape in enumerate(self._shapes)
        }
        self._check_finite(found, indices)
        return found

    def _check_finite(self, made: Fields, indices: np.ndarray) -> None:
        for fields in made.values():
            for name in self._generator.fields:  # as declared: what was solved for before what follows from it
                values = fields[name]
                bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
                if bad.any():
                    raise FloatingPointError(
                        f"{self._generator.name}: got a {name} that is not finite in sample "
                        f"{int(indices[bad.argmax()])} (seed {self._seed}), wanted finite numbers: "
                        f"{self._generator.cause}; {self._generator.remedy}"
                    )


def solving_devices() -> list[Any]:
    """The local devices to solve on: the default ones, but the host's CPU beside a TPU, which lacks complex128.

    Raises:
        DataError: beside a TPU, where JAX was told to leave the CPU out.
    """
    if jax.default_backend() != "tpu":
        return jax.local_devices()
    try:
        return jax.local_devices(backend="cpu")
    except RuntimeError as error:
        raise DataError(
            f"devices: got a TPU alone, which has no complex128 ({error}), wanted the CPU beside it; set "
            "JAX_PLATFORMS=tpu,cpu or unset it, or make the files on another machine"
        ) from error


def batch_size(points: int, platform: str) -> int:
    """Samples that one device solves together: few on a CPU (its caches), many on an accelerator (its width).

    Fewer on large grids, for memory and so that an interruption costs little. It depends on nothing else, so that a
    device always runs the same program and produces the same bits.
    """
    largest, budget = (4, 2**18) if platform == "cpu" else (256, 2**22)
    return max(1, min(largest, budget // points))


def _useful(devices: tuple[Any, ...], samples: int, points: int) -> tuple[Any, ...]:
    """As many devices as still give the least number of rounds."""
    batches = max(1, math.ceil(samples / batch_size(points, devices[0].platform)))
    return devices[: math.ceil(batches / math.ceil(batches / len(devices)))]


def _threads(platform: str) -> int:
    """Rounds at work at a time: a CPU device spends about one core on a program, but runs several side by side.

    In jaxlib 0.11 two programs side by side wait for each other forever; neither 0.10 nor 0.12 does that.
    """
    if platform != "cpu" or jax.__version_info__[:2] == (0, 11):
        return 1
    return max(1, cores() // len(jax.local_devices(backend="cpu")))


@functools.lru_cache(maxsize=8)
def _compile(generator: Generator, shapes: tuple[Shape, ...], devices: tuple[Any, ...], count: int) -> Any:
    """The program from (seed, indices) to samples: fields by name for every shape."""

    def sample(key: jax.Array) -> list[dict[str, jax.Array]]:
        fields = generator(key)
        return [
            {name: generator.restrict(u, shape).astype("float32") for name, u in fields.items()} for shape in shapes
        ]

    def batch(seed: jax.Array, indices: jax.Array) -> list[dict[str, jax.Array]]:
        key = jax.random.key(seed)
        return jax.vmap(lambda i: sample(jax.random.fold_in(key, i)))(indices)

    mesh = jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)
    # check_vma off: a solver's scan starts from constants, which the check takes for replicated.
    solve = jax.shard_map(batch, mesh=mesh, in_specs=(P(), P("data")), out_specs=P("data"), check_vma=False)
    # What tracing evaluates belongs where the program runs: the default device may be one without complex128.
    with jax.enable_x64(True), jax.default_device(devices[0]):
        return jax.jit(solve).lower(np.uint32(0), np.arange(count, dtype=np.uint32)).compile()
