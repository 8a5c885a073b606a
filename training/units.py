"""Whether parameters of one run mean the same in another: they do where both see fields in the same units."""

from pathlib import Path

import numpy as np

from data.normalizer import Normalizer

from .directory import read_normalizers

# Of a standard deviation. Training sets of other samples or another resolution differ by less and training goes on from
# there; another unit, another field or another kind of normaliser differs by more.
TOLERANCE = 0.05
# Of a mean: what float32 statistics of a constant field, which has no deviation, round by.
ROUNDING = 1e-5


def check_units(folder: Path, normalizers: tuple[Normalizer, Normalizer], fields: tuple[int, int]) -> None:
    """Refuse to begin with the parameters of a run whose normalised fields are others than those of the new one.

    Where one run has more times of every field than the other, those that both have are compared.

    Args:
        folder: of the run whose parameters are taken.
        normalizers: of inputs and targets of the new run.
        fields: of its inputs and of its targets.

    Raises:
        ValueError: for means or scales that are more than `TOLERANCE` of a scale apart, or channels that do not belong
            together.
        RunError: where the run has no normalisers.
    """
    sides = zip(("inputs", "targets"), read_normalizers(folder), normalizers, fields, strict=True)
    for name, first, new, count in sides:
        wanted, got = _moments(first), _moments(new)
        if wanted.shape != got.shape and wanted.shape[-1] % count == got.shape[-1] % count == 0:
            wanted, got = _by_field(wanted, count), _by_field(got, count)
            times = min(wanted.shape[-1], got.shape[-1])
            wanted, got = wanted[..., :times], got[..., :times]
        if wanted.shape != got.shape or not _close(wanted, got):
            raise ValueError(
                f"start_from: got {name} of mean and scale {_short(got)} in this run, wanted those that {folder.name} "
                f"was trained in, {_short(wanted)}: its parameters belong to them; take its data.normalize_{name}, "
                "fields and data, or train without start_from"
            )


def _moments(normalizer: Normalizer) -> np.ndarray:
    """Mean and scale, [2, *space, c]; no space axes but of a pixel-wise one."""
    mean, std = (np.asarray(values, np.float64) for values in (normalizer.mean, normalizer.std))
    return np.stack([mean, std + normalizer.eps])


def _by_field(moments: np.ndarray, fields: int) -> np.ndarray:
    """[2, *space, field, time]: the times of a field are neighbours."""
    return moments.reshape(*moments.shape[:-1], fields, -1)


def _close(wanted: np.ndarray, got: np.ndarray) -> bool:
    allowed = TOLERANCE * wanted[1] + ROUNDING * np.abs(wanted[0])
    return bool((np.abs(got - wanted) <= allowed).all())


def _short(moments: np.ndarray) -> str:
    """Mean and scale of the first channels (of the first point, where every point has its own)."""
    means, scales = (np.ravel(values)[:4] for values in moments)
    return ", ".join(f"{m:.4g} and {s:.4g}" for m, s in zip(means, scales, strict=True))
