"""What a data set says about itself."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdes.generators import FieldInfo

from .errors import DataError
from .points import Box

FieldMap = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class FieldStats:
    """Moments of one field over all samples and points, one number per stored time (std is unbiased)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Header of one data set: one split of one equation at one resolution.

    Args:
        path: the file it was read from.
        equation: name of the equation and task.
        parameters: physical parameters, name to number or text with its unit.
        generator: class path under `_target_` and every argument; `data.instantiate.instantiate` rebuilds it. Empty
            where the file was not generated.
        revision: revision of the code that wrote the file.
        seed: seed of the split; sample i is made from `fold_in(key(seed), i)`.
        compute_dtype: precision of the solver.
        split: name of the split.
        samples: number of trajectories.
        shape: points per axis.
        extent: side lengths, in the length unit of the equation.
        grid_type: "periodic" (points i L / N), "cell" (cell centres), "node" (both ends are points) or
            "cloud" (a field says where they are).
        fields: what is stored.
        stats: moments per field.
        inputs: default input channels, field to time indices.
        targets: default target channels.
        content_key: hash of everything the content depends on.
        generator_version: of the code that solved for the samples, see `pdes.generators.Generator`.
        origin: corner of the box with the smallest coordinates; zeros where empty.
    """

    path: Path
    equation: str
    parameters: Mapping[str, Any]
    generator: Mapping[str, Any]
    revision: str
    seed: int
    compute_dtype: str
    split: str
    samples: int
    shape: tuple[int, ...]
    extent: tuple[float, ...]
    grid_type: str
    fields: Mapping[str, FieldInfo]
    stats: Mapping[str, FieldStats]
    inputs: FieldMap
    targets: FieldMap
    content_key: str
    generator_version: int = 1
    origin: tuple[float, ...] = ()

    @property
    def box(self) -> Box:
        """Where the points are."""
        return Box(self.shape, self.extent, self.origin or (0.0,) * self.ndim, self.grid_type)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def periodic(self) -> bool:
        """Whether opposite sides of the box are one."""
        return self.grid_type == "periodic"

    def channels(self, field_map: FieldMap) -> tuple[tuple[str, int], ...]:
        """The channels a field map asks for, in order, as (field, time index from 0).

        Raises:
            DataError: for a field or a time that is not stored.
        """
        return channels_of(field_map, self.fields, str(self.path))


def channels_of(field_map: Any, fields: Mapping[str, FieldInfo], where: str) -> tuple[tuple[str, int], ...]:
    """The channels that a field map asks for among some fields, in order, as (field, time index from 0).

    Args:
        field_map: field to time indices, negative ones from the end.
        fields: what there is.
        where: file or config key, for errors.

    Raises:
        DataError: for a field or a time that is not there, or what is no field map.
    """
    if not isinstance(field_map, Mapping) or not all(isinstance(value, (list, tuple)) for value in field_map.values()):
        raise DataError(f"{where}: got {field_map!r}, wanted {{field: [time indices]}}")
    result = []
    for name, indices in field_map.items():
        if name not in fields:
            raise DataError(
                f"{where}: got field {name!r} in a field map, wanted one of {sorted(fields)}; "
                "correct `inputs` / `targets`, or generate a set that stores it"
            )
        count = len(fields[name].times)
        for index in indices:
            if not isinstance(index, int) or not -count <= index < count:
                raise DataError(
                    f"{where}: got time index {index!r} of field {name!r}, wanted {-count} .. {count - 1} "
                    f"(stored times {fields[name].times}); correct `inputs` / `targets`"
                )
            result.append((name, index % count))
    if not result:
        raise DataError(f"{where}: got an empty field map, wanted {{field: [time indices]}}")
    return tuple(result)
