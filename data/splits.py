"""Which samples a data set holds: splits, their seeds and resolutions."""

import dataclasses
import difflib
import hashlib
import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdes.generators import Generator

from .errors import DataError
from .instantiate import describe, find, instantiate
from .metadata import channels_of
from .schema import VERSION

_KEYS = (
    "splits", "inputs", "targets", "batch_size", "loader", "normalize_inputs", "normalize_targets", "root", "windows",
)  # fmt: skip
_SPLIT_KEYS = ("samples", "seed", "resolutions", "generator")
_RESOLUTIONS = "at least one shape and none twice, such as [[64, 64], [128, 128]]"


@dataclasses.dataclass(frozen=True)
class SplitSpec:
    """One split of a data set.

    Args:
        name: "train", "test" or any other file-name-safe word.
        samples: number of samples; sample i is made from `fold_in(key(seed), i)`.
        seed: no two splits of one data set may share it, or one would contain the other's samples.
        resolutions: grid shapes at which the same samples are stored, one file each.

    Raises:
        DataError: for a number that is not positive, no resolution or one named twice.
    """

    name: str
    samples: int
    seed: int
    resolutions: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.name.replace("_", "").replace("-", "").isalnum():
            raise DataError(f"split name: got {self.name!r}, wanted letters, digits, '-' and '_'")
        if self.samples < 1:
            raise DataError(f"{self.name}.samples: got {self.samples}, wanted at least 1")
        if not 0 <= self.seed < 2**32:
            raise DataError(f"{self.name}.seed: got {self.seed}, wanted 0 .. 2^32 - 1")
        shapes = self.resolutions
        if not shapes or len(set(shapes)) != len(shapes) or min(min(shape, default=0) for shape in shapes) < 1:
            raise DataError(f"{self.name}.resolutions: got {shapes}, wanted {_RESOLUTIONS}")


def plan(
    pde: Mapping[str, Any], data: Mapping[str, Any], allow: Sequence[str] = ()
) -> dict[str, tuple[Generator, SplitSpec]]:
    """The generator and the split of every split in a `pde` and a `data` config.

    Args:
        pde: `_target_` and arguments of a generator.
        data: `splits`: name to samples, seed, resolutions and, where the split is solved differently (a finer
            solver grid for the test set), `generator`: arguments that replace those of `pde`. A split that is
            null is left out. `inputs` and `targets`: field maps, null for those of the generator.
        allow: further prefixes of `_target_`.

    Raises:
        DataError: for an unknown key, a value of a wrong type, splits that share a seed, no split, a resolution that
            the generator does not resolve, or a field that it does not make.
        TargetError: for a generator that may not or cannot be built.
    """
    if not isinstance(pde, Mapping):
        raise DataError(f"pde: got {pde!r}, wanted a generator, such as {{_target_: data.synthetic.HeatFlow}}")
    if not isinstance(data, Mapping):
        raise DataError(f"data: got {data!r}, wanted {{splits: ..}} and what else a data config says")
    check_keys(data)
    splits = {name: values for name, values in (data.get("splits") or {}).items() if values is not None}
    if not splits:
        raise DataError("data.splits: got none, wanted at least one, such as {train: {samples: 100, seed: 0, ...}}")
    result = {}
    for name, values in splits.items():
        if not isinstance(values, Mapping):
            raise DataError(f"data.splits.{name}: got {values!r}, wanted {{samples: .., seed: .., resolutions: ..}}")
        unknown = sorted(set(values) - set(_SPLIT_KEYS))
        lacking = sorted({"samples", "seed", "resolutions"} - set(values))
        if unknown or lacking:
            raise DataError(
                f"data.splits.{name}: got {sorted(values)}, wanted {list(_SPLIT_KEYS)} (the last one optional); "
                f"unknown {unknown}, missing {lacking}"
            )
        changes = values.get("generator") or {}
        if not isinstance(changes, Mapping):
            raise DataError(
                f"data.splits.{name}.generator: got {changes!r}, wanted arguments that replace those of pde, such as "
                "{shape: [192, 192]}"
            )
        generator = _build_generator({**pde, **changes}, allow)
        split = _split(str(name), values)
        check_resolutions(generator, split)
        for key in ("inputs", "targets"):
            if data.get(key) is not None:
                channels_of(data[key], generator.fields, f"data.{key}")
        result[split.name] = generator, split
    seeds = {name: split.seed for name, (_, split) in result.items()}
    if len(set(seeds.values())) != len(seeds):
        raise DataError(f"data.splits: got seeds {seeds}, wanted a different one for every split")
    return result


def check_keys(data: Mapping[str, Any], more: Sequence[str] = ()) -> None:
    """Refuses a data config with keys beyond those of every one and some more, or with values of a wrong type.

    Raises:
        DataError: names the key, and the one that may have been meant.
    """
    known = (*_KEYS, *more)
    for key in sorted(set(data) - set(known)):
        nearest = difflib.get_close_matches(str(key), known, n=1)
        meant = f"; did you mean data.{nearest[0]}?" if nearest else ""
        raise DataError(f"data: got unknown key {key!r}, wanted some of {', '.join(known)}{meant}")
    if not isinstance(data.get("splits") or {}, Mapping):
        raise DataError(f"data.splits: got {data['splits']!r}, wanted a split by name, such as {{train: {{..}}}}")
    root = data.get("root")
    if not isinstance(root, (str, os.PathLike, type(None))):
        raise DataError(f"data.root: got {root!r}, wanted the path of a folder, such as /big/disk")
    batch_size = data.get("batch_size", 1)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise DataError(f"data.batch_size: got {batch_size!r}, wanted a whole number, at least 1, such as 16")


def _split(name: str, values: Mapping[str, Any]) -> SplitSpec:
    """One split of the config, whose values may be of any type."""
    for key in ("samples", "seed"):
        if not isinstance(values[key], int):
            raise DataError(f"data.splits.{name}.{key}: got {values[key]!r}, wanted a whole number, such as 100")
    shapes = values["resolutions"]
    listed = isinstance(shapes, (list, tuple)) and all(isinstance(shape, (list, tuple)) for shape in shapes)
    if not listed or not all(isinstance(n, int) for shape in shapes for n in shape):
        raise DataError(f"data.splits.{name}.resolutions: got {shapes!r}, wanted {_RESOLUTIONS}")
    return SplitSpec(name, values["samples"], values["seed"], tuple(tuple(shape) for shape in shapes))


def _build_generator(cfg: Mapping[str, Any], allow: Sequence[str]) -> Generator:
    target = find(cfg.get("_target_"), allow, "pde")
    # Before the call: anything else that is allowed could have effects of its own.
    if not (inspect.isclass(target) and issubclass(target, Generator)):
        raise DataError(f"pde._target_: got {cfg['_target_']!r}, wanted a subclass of pdes.generators.Generator")
    return instantiate({**cfg, "_partial_": False}, allow=allow, where="pde")


def check_resolutions(generator: Generator, split: SplitSpec) -> None:
    """Refuses a split that stores more modes than its generator solves for: the file would hold zeros in their place.

    Raises:
        DataError: names the solver grid that the resolution needs.
    """
    solved = generator.grid.shape
    for shape in split.resolutions:
        if len(shape) != len(solved):
            raise DataError(f"{split.name}.resolutions: got {shape}, wanted {len(solved)} sizes as in the solver grid")
        if not generator.resolves(shape):
            needed = list(generator.solver_shape(shape))
            raise DataError(
                f"{split.name}.resolutions: got {shape}, wanted {generator.storable}, what {generator.name} resolves "
                f"on its solver grid {solved}; solve on a finer one: pde.shape={needed}, or `generator: {{shape: "
                f"{needed}}}` under data.splits.{split.name}"
            )


def data_root(root: str | Path | None = None) -> Path:
    """The folder of generated data: the argument, else $SPECTRAL_DATA, else `datasets`."""
    return Path(root or os.environ.get("SPECTRAL_DATA") or "datasets").expanduser()


def content_key(generator: Generator, split: SplitSpec, shape: Sequence[int]) -> str:
    """Hash of everything a file's samples depend on: schema, generator with its version and numbers, split, shape."""
    content = [VERSION, describe(generator), split.name, split.samples, split.seed, list(shape)]
    if generator.version > 1:  # a first version goes without saying
        content.append(generator.version)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def file_path(generator: Generator, split: SplitSpec, shape: Sequence[int], root: str | Path | None = None) -> Path:
    """Where the file of one split at one resolution lives."""
    size = "x".join(str(n) for n in shape)
    name = f"{split.name}_{size}_{content_key(generator, split, shape)[:10]}.h5"
    return data_root(root) / generator.name / name
