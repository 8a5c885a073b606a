"""Which modes of a half spectrum an AFNO mixes."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from .arguments import choice, is_number, refusal

TRUNCATIONS = ("all", "two_sided", "fourcastnet")


class Kept(NamedTuple):
    """The kept part of a spectrum.

    Args:
        n_modes: per axis, both signs counted: a box of low frequencies, see `spectral.transforms.forward`.
        rows: of the first axis of that box, ascending in frequency, which are kept; None for all of them.
    """

    n_modes: tuple[int, ...]
    rows: Bool[np.ndarray, "k"] | None = None


@dataclasses.dataclass(frozen=True)
class Truncation:
    """A rule that takes modes by the grid.

    - "all": the whole spectrum.
    - "two_sided": the lowest frequencies of both signs: `n_modes` of them, or on every axis a fraction of those that
      the grid has.
    - "fourcastnet": what FourCastNet's slices of an unshifted spectrum [H, W//2 + 1] take: with t = H//2 + 1 and
      k = int(t fraction) the rows t - k .. t + k - 1 and the first k columns. So columns are limited by H (46 of the 91
      of 90x180 tokens), and a fraction below 1 keeps a band around the *highest* frequencies of H.

    Args:
        name: of the rule.
        ndim: spatial axes.
        n_modes: per axis, both signs counted, with "two_sided".
        fraction: share of the modes in [0, 1], with "two_sided" without `n_modes`, and "fourcastnet".

    Raises:
        ValueError: for another name, numbers that the rule does not take, or "fourcastnet" on other than two axes.

    Source: AFNO-transformer (1-D) and makani (two-sided); FourCastNet and PhysicsNeMo ("fourcastnet").
    """

    name: str
    ndim: int
    n_modes: tuple[int, ...] | None = None
    fraction: float | int = 1.0

    def __post_init__(self) -> None:
        choice("truncation", self.name, TRUNCATIONS)
        n_modes = self.n_modes
        if not is_number(self.fraction) or not 0 <= self.fraction <= 1:
            raise refusal("hard_thresholding_fraction", self.fraction, "a share of the modes in [0, 1]", "such as 0.5")
        if n_modes is not None and (self.name != "two_sided" or len(n_modes) != self.ndim or self.fraction != 1):
            wanted = f'{self.ndim} counts with truncation="two_sided" and no fraction'
            raise refusal("n_modes", n_modes, wanted, "drop one of them")
        if self.name == "all" and self.fraction != 1:
            fix = 'take "two_sided"'
            raise refusal("hard_thresholding_fraction", self.fraction, 'none with truncation="all"', fix)
        if self.name == "fourcastnet" and self.ndim != 2:
            raise refusal(
                "truncation", self.name, f"a rule for {self.ndim} axes: this one is for 2", 'take "two_sided"'
            )

    def __call__(self, shape: tuple[int, ...]) -> Kept | None:
        """What is kept of a spectrum of a grid; None for nothing."""
        if self.n_modes is not None:
            return Kept(self.n_modes)
        shares = [int((s // 2 + 1) * self.fraction) for s in shape]
        if self.name == "all":
            return Kept(shape)
        if min(shares) == 0:
            return None
        if self.name == "two_sided":
            return Kept((*(min(2 * k, s) for k, s in zip(shares[:-1], shape[:-1], strict=True)), _columns(shares[-1])))
        height, total, kept = shape[0], shape[0] // 2 + 1, shares[0]
        rows = np.zeros(height, bool)
        rows[total - kept : total + kept] = True
        n_modes = (height, _columns(kept))
        return Kept(n_modes) if rows.all() else Kept(n_modes, np.roll(rows, height // 2))


def _columns(count: int) -> int:
    """The mode count of which the half axis stores so many."""
    return max(2 * count - 2, 1)


def mode_grids_of_tokens(mixer: Any, tokens: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """What `Operator.mode_grids` says of a mixer on a grid of tokens: nothing without a count of modes."""
    truncation = getattr(mixer, "truncation", None)
    if truncation is None or truncation.n_modes is None:
        return []
    return [("n_modes", truncation.n_modes, tokens)]
