"""The small Darcy-flow set that ships with neuraloperator."""

from pathlib import Path

import numpy as np

from pdes.generators import FieldInfo

from ..errors import DataError
from ..metadata import FieldStats, Metadata
from ..moments import Moments
from ..schema import dataset, open_file
from ..source import Samples

GROUPS = ("train_16", "test_16", "test_32")


def load_darcy_benchmark(path: str | Path) -> dict[str, Samples]:
    """Phase of the permeability to pressure, -div(a grad u) = f on the unit square, at cell centres.

    Args:
        path: an HDF5 file with groups `train_16`, `test_16`, `test_32`, each with `a` (0 or 1) and `u`, both
            (sample, x, y).

    Returns:
        group to samples: x (n, s, s, 1) the phase, y (n, s, s, 1) the pressure, float32, dimensionless.

    Raises:
        DataError: for a file of another layout, or numbers that are not finite.

    Source: neuraloperator (MIT licence), `darcy_16` and its 32-point test set.
    """
    result = {}
    with open_file(path) as file:
        for group in GROUPS:
            a, u = (np.asarray(dataset(file, f"{group}/{name}"), np.float32) for name in ("a", "u"))
            if a.ndim != 3 or a.shape != u.shape or not (np.isfinite(a).all() and np.isfinite(u).all()):
                raise DataError(
                    f"{path}: got {group} a {a.shape}, u {u.shape}, wanted equal (sample, x, y), all finite"
                )
            metadata = _metadata(Path(path), group, {"phase": a, "pressure": u})
            result[group] = Samples(a[..., None], u[..., None], metadata, metadata.inputs, metadata.targets)
    return result


def _metadata(path: Path, group: str, fields: dict[str, np.ndarray]) -> Metadata:
    samples, *shape = fields["phase"].shape
    return Metadata(
        path=path,
        equation="darcy",
        parameters={},
        generator={},
        revision="published",
        seed=0,
        compute_dtype="unknown",
        split=group,
        samples=samples,
        shape=tuple(shape),
        extent=(1.0, 1.0),
        grid_type="cell",
        fields={name: FieldInfo((0.0,), "1", "") for name in fields},
        stats={name: _stats(values) for name, values in fields.items()},
        inputs={"phase": (0,)},
        targets={"pressure": (0,)},
        content_key="",
    )


def _stats(values: np.ndarray) -> FieldStats:
    moments = Moments(axes=(0, 1, 2))
    moments.update(values)
    return moments.stats()
