"""Making data sets from solvers: found by content, resumable, the same bits for a seed on any number of devices."""

import contextlib
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from pdes.generators import Generator

from .errors import DataError
from .instantiate import describe
from .metadata import Metadata
from .parallel import cores, in_order
from .progress import ProgressReport
from .provenance import revision
from .schema import read_metadata
from .splits import SplitSpec, check_resolutions, content_key, data_root, file_path
from .writer import SampleLog, exclusive, log_path, prepare_folder

Shape = tuple[int, ...]


class _Output(NamedTuple):
    shape: Shape
    path: Path
    log: SampleLog


def ensure(
    generator: Generator,
    split: SplitSpec,
    root: str | Path | None = None,
    devices: Sequence[Any] | None = None,
) -> dict[Shape, Path]:
    """Finds the files of a split, or makes them.

    Sample i comes from `fold_in(key(seed), i)` alone and every device solves batches of one fixed size, so the
    content depends neither on the number of devices and cores nor on interruptions. Solved in float64, stored in
    float32; beside a TPU, which has no complex128, the CPU of its host solves. A CPU solves one batch per core.
    A second process that asks for the same files waits for the first one; on a pod whose hosts share the folder one
    host generates, and where each has a disk of its own each makes its own (identical) copy.

    Args:
        generator: solver of the samples, a frozen dataclass.
        split: name, samples, seed and resolutions.
        root: folder of data sets; $SPECTRAL_DATA, else `datasets`.
        devices: the devices to solve on, those of `solving_devices` by default.

    Returns:
        shape to file, in the order of `split.resolutions`. All files hold the same samples.

    Raises:
        StorageError: for a folder that cannot be written or is too small; finished samples are kept.
        FloatingPointError: when the solver leaves the finite numbers; names the sample.
        DataError: for a resolution that the generator does not resolve; when a file of that name is not what it
            should be.
    """
    check_resolutions(generator, split)
    paths = {shape: file_path(generator, split, shape, root) for shape in split.resolutions}
    # Before the lock: the processes of a pod start their backends together, or not at all.
    devices = tuple(devices or solving_devices())
    if not all(path.exists() for path in paths.values()):
        folder = data_root(root) / generator.name
        prepare_folder(folder, needed=_needed_bytes(generator, split, paths))
        with exclusive(folder):
            missing = {shape: path for shape, path in paths.items() if not path.exists()}
            _generate(generator, split, missing, devices)
    for shape, path in paths.items():
        found, wanted = read_metadata(path).content_key, content_key(generator, split, shape)
        if found != wanted:
            raise DataError(f"{path}: got content key {found}, wanted {wanted}; the file was replaced: delete it")
    return paths


def _generate(generator: Generator, split: SplitSpec, paths: dict[Shape, Path], devices: tuple[Any, ...]) -> None:
    outputs = [_Output(shape, path, SampleLog(path, _sample_shapes(generator, shape))) for shape, path in paths.items()]
    if not outputs:
        return
    done = min(output.log.samples for output in outputs)
    for output in outputs:
        output.log.truncate(done)
    if done < split.samples:
        _solve_from(done, generator, split, outputs, devices)
    for output in outputs:
        output.log.finish(_metadata(generator, split, output.shape, output.path))


def _solve_from(
    done: int, generator: Generator, split: SplitSpec, outputs: list[_Output], devices: tuple[Any, ...]
) -> None:
    """Appends the samples that the logs lack."""
    devices = _useful(devices, split.samples - done, generator.grid.size)
    platform, shapes = devices[0].platform, tuple(output.shape for output in outputs)
    count = len(devices) * batch_size(generator.grid.size, platform)
    starts = range(done, split.samples, count)
    sizes = " ".join("x".join(map(str, shape)) for shape in shapes)
    with ProgressReport(f"{generator.name}/{split.name} {sizes}", split.samples, done) as progress:
        program = _compile(generator, shapes, devices, count)
        progress.start_clock()
        solve = functools.partial(_solve, program, split, shapes, count)
        with contextlib.closing(in_order(solve, starts, _threads(platform))) as rounds:
            for start, made in zip(starts, rounds, strict=True):
                _check_finite(made, generator, split, start)
                for output in outputs:
                    output.log.append(made[output.shape])
                progress.advance(outputs[0].log.samples - start)


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


def _solve(
    program: Any, split: SplitSpec, shapes: tuple[Shape, ...], count: int, start: int
) -> dict[Shape, dict[str, np.ndarray]]:
    """The samples from `start` on, one batch per device: shape to field to float32 (samples, t, *space)."""
    left = split.samples - start  # the last round is filled up with samples that are dropped
    made = jax.device_get(program(np.uint32(split.seed), np.arange(start, start + count, dtype=np.uint32)))
    return {shape: {name: values[:left] for name, values in made[i].items()} for i, shape in enumerate(shapes)}


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


def _needed_bytes(generator: Generator, split: SplitSpec, paths: dict[Shape, Path]) -> int:
    """Free bytes that the missing files take while they are made: the log of samples and the file from it."""
    needed = 0
    for shape, path in paths.items():
        if not path.exists():
            sample = sum(4 * math.prod(field) for field in _sample_shapes(generator, shape).values())
            log = log_path(path)
            needed += 2 * split.samples * sample - (log.stat().st_size if log.exists() else 0)
    return needed


def _sample_shapes(generator: Generator, shape: Shape) -> dict[str, Shape]:
    return {name: (len(field.times), *shape) for name, field in generator.fields.items()}


def _check_finite(made: dict[Shape, dict[str, np.ndarray]], generator: Generator, split: SplitSpec, start: int) -> None:
    for fields in made.values():
        for name, values in fields.items():
            bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            if bad.any():
                raise FloatingPointError(
                    f"{generator.name}/{split.name}: got a {name} that is not finite in sample "
                    f"{start + int(bad.argmax())} (seed {split.seed}), wanted finite numbers; take a smaller time step "
                    "or a finer solver grid. The samples before its batch are kept"
                )


def _metadata(generator: Generator, split: SplitSpec, shape: Shape, path: Path) -> Metadata:
    return Metadata(
        path=path,
        equation=generator.name,
        parameters=dict(generator.parameters()),
        generator=describe(generator),
        revision=revision(),
        seed=split.seed,
        compute_dtype="float64",
        split=split.name,
        samples=split.samples,
        shape=shape,
        extent=generator.grid.extent,
        grid_type=generator.grid_type,
        fields=dict(generator.fields),
        stats={},
        inputs={name: tuple(times) for name, times in generator.inputs.items()},
        targets={name: tuple(times) for name, times in generator.targets.items()},
        content_key=content_key(generator, split, shape),
        generator_version=generator.version,
    )
