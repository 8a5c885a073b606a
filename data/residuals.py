"""How far stored fields are from what an equation makes of others, and what of that the grid explains."""

from collections.abc import Callable, Iterable

import numpy as np

from .metadata import Metadata
from .resampling import linear, nearest, smooth
from .verification import FAILS, HOLDS, UNDECIDED, Finding

# Of what the states change: round-off of float32, an error of the solver of the data, and the tolerance of the replay
# are far below, a coefficient that is wrong by some percent is above.
TOLERANCE = 0.01
# Beyond this, agreement within a bound that is wider still says nothing.
_BLURRED = 0.05
# A change by this share of the states may be one of rounding to float32 ...
_AT_REST = 1e-5
# ... of which this is ten times.
_NOISE = 1e-6

# Fields [b, field, *space] -> what follows from them, on the same grid.
Solve = Callable[[np.ndarray], np.ndarray]


def check_residuals(
    where: str,
    metadata: Metadata,
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    solve: Solve,
    *,
    complete: bool = False,
    steady: bool = False,
    jumping: bool = False,
) -> Finding:
    """The finding for pairs of fields, of which the worst sample decides: see `data.equation_check`.

    Args:
        where: what is looked at.
        metadata: header of the file.
        blocks: what is solved from and what is to follow, each [b, field, *space]; all of them as many samples, of
            which the last ones may repeat.
        solve: the equation.
        complete: whether the stored grid holds every mode that was solved for: D is then what the noise does.
        steady: targets of inputs, not states of one evolution.
        jumping: what is solved from is constant around every point.
    """
    residuals, doubts = [], []
    for start, end in blocks:
        residual, doubt = _compare(metadata, start, end, solve, complete, steady, jumping)
        residuals.append(residual)
        doubts.append(doubt)
    residual, doubt = np.concatenate(residuals), np.concatenate(doubts)
    worst = int(np.argmax(residual - 2 * doubt))
    r, most = float(residual[worst]), TOLERANCE + 2 * float(doubt[worst])
    near, far = r <= max(TOLERANCE, min(most, _BLURRED)), not r <= most
    verdict = HOLDS if near else FAILS if far else UNDECIDED
    return Finding(where, verdict, f"residual {r:.1e}, wanted at most {most:.1e}")


def _compare(
    metadata: Metadata, start: np.ndarray, end: np.ndarray, solve: Solve, complete: bool, steady: bool, jumping: bool
) -> tuple[np.ndarray, np.ndarray]:
    """R and D of every sample."""
    kind, ends = metadata.grid_type, metadata.grid_type == "node"
    coarse = tuple(max(1, 2 * (n - ends) // 3 + ends) for n in metadata.shape)

    def coarsened(u: np.ndarray, way: Callable[..., np.ndarray]) -> np.ndarray:
        return u if complete else way(u, coarse, kind)

    rough = coarsened(start, nearest if jumping else smooth)
    if not jumping:
        noise = np.random.default_rng(0).standard_normal(rough.shape)
        rough = rough + _NOISE * np.sqrt(np.mean(start**2)) * noise
    found, other = solve(start), solve(rough)
    # What has all but decayed is small beside its change: an error of all of it must not pass for a small one.
    change = _size(found) if steady else np.minimum(_size(found - start), _size(found))
    change = np.maximum(change, _AT_REST * _size(found if steady else start)) + 1e-30
    doubt = _size(coarsened(found, linear if jumping else smooth) - other)
    return _size(found - end) / change, doubt / change


def _size(u: np.ndarray) -> np.ndarray:
    """Root mean square over fields and points, per sample."""
    return np.sqrt(np.mean(u**2, axis=tuple(range(1, u.ndim))))
