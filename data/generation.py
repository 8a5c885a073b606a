"""Making data sets from solvers: found by content, resumable, the same bits for a seed on any number of devices."""

import contextlib
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pdes.generators import Generator

from .errors import DataError
from .instantiate import describe
from .metadata import Metadata
from .parallel import in_order
from .progress import ProgressReport
from .provenance import revision
from .schema import read_metadata
from .solving import Fields, Shape, Solver, solving_devices
from .splits import SplitSpec, check_resolutions, content_key, data_root, file_path
from .writer import SampleLog, exclusive, log_path, prepare_folder


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
    shapes = tuple(output.shape for output in outputs)
    sizes = " ".join("x".join(map(str, shape)) for shape in shapes)
    with ProgressReport(f"{generator.name}/{split.name} {sizes}", split.samples, done) as progress:
        solver = Solver(generator, split.seed, shapes, devices, split.samples - done)
        starts = range(done, split.samples, solver.count)
        progress.start_clock()
        solve = functools.partial(_solve, solver, split)
        with contextlib.closing(in_order(solve, starts, solver.threads)) as rounds:
            for start, made in zip(starts, rounds, strict=True):
                for output in outputs:
                    output.log.append(made[output.shape])
                progress.advance(outputs[0].log.samples - start)


def _solve(solver: Solver, split: SplitSpec, start: int) -> Fields:
    """The samples of the round from `start` on."""
    return solver(np.arange(start, min(start + solver.count, split.samples)))


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
