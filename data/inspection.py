"""What a data set holds, in words and numbers: its header, its statistics, its spectra."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectral.grid import Grid
from spectral.transforms import dctn, rfftn

from .errors import DataError
from .guard import inside
from .metadata import Metadata
from .schema import open_file
from .source import read_channels

# Samples that spectra are means over, and times of a field that are looked at: spread evenly over what there is.
SAMPLES, TIMES = 32, 6
# Of the files that a set was converted from, so many are named.
_MOST_FILES = 8


class Spectrum(NamedTuple):
    """Where in wavenumber a field at one time has its variance, mean over samples.

    Args:
        shells: mean square by the number of periods along the longest side, rounded; the mean value is left out.
        tail: share of the norm of all but the mean in the outermost tenth of the stored frequencies of any axis.
    """

    shells: np.ndarray
    tail: float

    @property
    def octaves(self) -> np.ndarray:
        """Shares of the variance at 1, 2-3, 4-7, ... periods."""
        edges = 2 ** np.arange(int(np.log2(max(len(self.shells) - 1, 1))) + 1)
        sums = np.add.reduceat(self.shells, edges)
        return sums / max(sums.sum(), 1e-300)


def spread(count: int, most: int) -> list[int]:
    """At most so many numbers of 0 .. count - 1, the first and the last among them."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(most, count)).round()})


def spectrum(u: np.ndarray, metadata: Metadata) -> Spectrum:
    """Of fields [sample, *space]: by Fourier series, or by cosines where the box has a boundary.

    A cosine series has no jump at the boundary, so that the tail is that of the field, not that of its ends.
    """
    shape, axes = metadata.shape, tuple(range(1, u.ndim))
    values = jnp.asarray(u - u.mean(axes, keepdims=True), jnp.float32)
    if metadata.periodic:
        grid = Grid(shape, metadata.extent)
        power = np.abs(np.asarray(rfftn(values, axes), np.complex128)) ** 2 * grid.rfft_weights
        periods = [np.abs(m) for m in grid.modes]
        largest = [n // 2 for n in shape]
    else:
        power = np.asarray(dctn(values, axes), np.float64) ** 2 / np.prod(shape)
        index = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
        periods, largest = [i / 2 for i in index], [(n - 1) / 2 for n in shape]
    outer = [10 * p > 9 * most for p, most in zip(periods, largest, strict=True)]
    ring = np.logical_or.reduce(np.broadcast_arrays(*outer))
    longest = max(metadata.extent)
    scaled = [p * longest / length for p, length in zip(periods, metadata.extent, strict=True)]
    radius = np.sqrt(sum(p**2 for p in scaled))
    shell = np.maximum(np.rint(radius), radius > 0).astype(int)  # half a period belongs to the first shell
    mean = power.mean(0)
    shells = np.bincount(shell.ravel(), mean.ravel())
    shells[0] = 0
    return Spectrum(shells, float(np.sqrt(mean[ring].sum() / max(mean.sum(), 1e-300))))


def spectra(metadata: Metadata) -> dict[tuple[str, int], Spectrum]:
    """Of every field at some of its times: (field, time index) to spectrum.

    Raises:
        DataError: for a damaged chunk or a number that is not finite.
    """
    found = {}
    rows = spread(metadata.samples, SAMPLES)
    with open_file(metadata.path) as file, jax.enable_x64(False):
        for name, field in metadata.fields.items():
            for time in spread(len(field.times), TIMES):
                values = [read_channels(file, metadata, [(name, time)], row)[0] for row in rows]
                found[name, time] = spectrum(np.stack(values), metadata)
    return found


def describe_header(metadata: Metadata) -> Iterator[str]:
    """The header, a line each."""
    points = "x".join(map(str, metadata.shape))
    sides = " x ".join(f"{length:.6g}" for length in metadata.extent)
    seed = f" of seed {metadata.seed}" if metadata.generator else ""
    start = f" from ({', '.join(f'{value:.6g}' for value in metadata.origin)})" if any(metadata.origin) else ""
    yield f"{metadata.path}: {metadata.equation}, {metadata.split}, {metadata.samples} samples{seed}"
    yield f"grid        {points} points ({metadata.grid_type}) on a box of {sides}{start}"
    if metadata.generator:
        made, version = _call(metadata.generator), metadata.generator_version
        yield f"made by     {made}, version {version}, in {metadata.compute_dtype}"
    yield from _source(metadata)
    yield f"revision    {metadata.revision}, content {metadata.content_key}"
    yield f"parameters  {', '.join(f'{name} = {_number(value)}' for name, value in metadata.parameters.items())}"
    yield f"map         {_maps(metadata.inputs)} -> {_maps(metadata.targets)}"
    for name, field in metadata.fields.items():
        count = len(field.times)
        times = f"t = {field.times[0]:g}" if count == 1 else f"{count} times, {field.times[0]:g} .. {field.times[-1]:g}"
        yield f"field       {name} [{field.unit}], {times}: {field.description}"


def describe_fields(metadata: Metadata, found: Mapping[tuple[str, int], Spectrum]) -> Iterator[str]:
    """A table: moments over all samples and points, shares of the variance by octaves of wavenumber, and the tail."""
    octaves = max(len(one.octaves) for one in found.values())
    names = [f"{2**i}-" for i in range(octaves)]
    head = "".join(f"{name:>11}" for name in ("mean", "std", "min", "max"))
    yield f"{'field':16}{'t':>9}{head}  {'tail':>8}  variance by periods per side, %"
    yield f"{'':79}{' '.join(f'{name:>5}' for name in names)}"
    for (name, time), one in found.items():
        moments = (getattr(metadata.stats[name], key)[time] for key in ("mean", "std", "min", "max"))
        numbers = "".join(f"{value:11.4g}" for value in moments)
        shares = " ".join(f"{100 * share:5.1f}" for share in one.octaves)
        yield f"{name[:15]:16}{metadata.fields[name].times[time]:9.4g}{numbers}  {one.tail:8.1e}  {shares}"


def judge(tail: float) -> str:
    """What a tail says."""
    if tail < 1e-3:
        return "resolved"
    return "fairly resolved" if tail < 0.05 else "cut: what is stored is not smooth on its grid"


def _source(metadata: Metadata) -> Iterator[str]:
    """The files that a set was converted from, and what of them was kept."""
    with open_file(metadata.path) as file:
        group = inside(file, "source")
        if group is None:
            return
        try:
            made = json.loads(group.attrs["made"])
            kept = {name: value for name, value in made["selection"].items() if value is not None}
            about = f"{made['source']}, options {_plain(made['options'])}, selection {_plain(kept)}"
            names, sizes, digests = (inside(group, name)[()] for name in ("names", "bytes", "sha256"))
            files = [
                f"{name.decode()}, {int(size):,} bytes, sha256 {digest.decode()}"
                for name, size, digest in zip(names, sizes, digests, strict=True)
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{metadata.path}: got a record of another form in /source ({error!r}), wanted that of `data.convert`; "
                "convert it again"
            ) from error
    yield f"source      {about}"
    for line in files[:_MOST_FILES]:
        yield f"            {line}"
    if len(files) > _MOST_FILES:
        yield f"            and {len(files) - _MOST_FILES} more"


def _plain(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none"


def _call(generator: Mapping[str, Any]) -> str:
    if "_target_" not in generator:
        return "a generator that the file does not name"
    arguments = ", ".join(f"{name}={value}" for name, value in generator.items() if name != "_target_")
    return f"{str(generator['_target_']).rsplit('.', 1)[-1]}({arguments})"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _maps(field_map: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{name}{_indices(list(times))}" for name, times in field_map.items())


def _indices(times: list[int]) -> str:
    return str(times) if len(times) <= 20 else f"[{times[0]}, {times[1]}, ..., {times[-1]}], {len(times)} of them"
