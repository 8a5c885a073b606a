"""Domains of the plane that are no boxes, and quasi-uniform points in them and on their boundaries."""

import abc
import dataclasses

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import KDTree

# Of the sequence i -> frac(i g^-1, i g^-2), g^3 = g + 1, whose points keep their distance at every length.
_PLASTIC = 1.324717957244746
_FINE = 20001  # points of a boundary by which its length is measured


@dataclasses.dataclass(frozen=True)
class Domain(abc.ABC):
    """The inside of a closed curve around the origin."""

    @abc.abstractmethod
    def curve(self, turn: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
        """A point of the boundary for every number from 0 to 1."""

    @abc.abstractmethod
    def inside(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """Which points are inside."""

    def points(self, n: int) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "m 2"]]:
        """About n points inside, and points on the boundary at the same distance from each other.

        None inside is nearer to the boundary than half that distance.

        Raises:
            ValueError: for fewer than 16.
        """
        if n < 16:
            raise ValueError(f"points: got {n}, wanted 16 or more")
        fine = self.curve(np.linspace(0, 1, _FINE))
        arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
        area = abs(np.sum(fine[:-1, 0] * fine[1:, 1] - fine[1:, 0] * fine[:-1, 1])) / 2
        spacing = np.sqrt(area / n)
        around = np.linspace(0, arc[-1], max(8, round(arc[-1] / spacing)), endpoint=False)
        boundary = self.curve(np.interp(around, arc, np.linspace(0, 1, _FINE)))
        lower, upper = fine.min(0), fine.max(0)
        count = int(n * np.prod(upper - lower) / area)
        steps = np.arange(1, count + 1)[:, None] * np.array([1 / _PLASTIC, 1 / _PLASTIC**2])
        inside = lower + (0.5 + steps) % 1 * (upper - lower)
        inside = inside[self.inside(inside)]
        return inside[_distance(inside, fine) > spacing / 2], boundary


@dataclasses.dataclass(frozen=True)
class Star(Domain):
    """r < radius + depth cos(lobes phi): a star, and without depth a disc.

    Raises:
        ValueError: for a boundary that meets the origin.
    """

    radius: float = 1.0
    depth: float = 0.0
    lobes: int = 5

    def __post_init__(self) -> None:
        if not abs(self.depth) < self.radius:
            raise ValueError(f"radius, depth: got {self.radius}, {self.depth}, wanted a radius above the depth")

    def curve(self, turn: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
        phi = 2 * np.pi * turn
        return (self.radius + self.depth * np.cos(self.lobes * phi))[:, None] * np.stack([np.cos(phi), np.sin(phi)], 1)

    def inside(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        phi = np.arctan2(points[:, 1], points[:, 0])
        return np.hypot(*points.T) < self.radius + self.depth * np.cos(self.lobes * phi)


@dataclasses.dataclass(frozen=True)
class Polygon(Domain):
    """The inside of a polygon, by default the L of three unit squares.

    Args:
        corners: one after the other.
    """

    corners: tuple[tuple[float, float], ...] = ((-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1))

    def curve(self, turn: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
        closed = np.array([*self.corners, self.corners[0]], float)
        arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
        return np.stack([np.interp(turn * arc[-1], arc, along) for along in closed.T], 1)

    def inside(self, points: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
        """A ray to the right crosses the boundary an odd number of times."""
        odd, corners = np.zeros(len(points), bool), np.array(self.corners, float)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
            crosses = (points[:, 1] > y0) != (points[:, 1] > y1)
            height = np.where(crosses, points[:, 1] - y0, 0)
            odd ^= crosses & (points[:, 0] - x0 < height * (x1 - x0) / (y1 - y0 if y1 != y0 else 1))
        return odd


def _distance(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    return KDTree(curve).query(points)[0]


DOMAINS: dict[str, Domain] = {"disc": Star(), "star": Star(0.75, 0.25), "l-shape": Polygon()}
