"""Fields on other grids of their box, by where their points are: nothing here knows an equation."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from spectral.filters import resize


def smooth(u: np.ndarray, shape: Sequence[int], grid_type: str) -> np.ndarray:
    """The series of a field [b, field, *space] on another grid, cut or continued with zeros, float64.

    Fourier series where the points are periodic; of nodes the cosine series, which is the Fourier series of the field
    and its mirror image.
    """
    shape, space = tuple(shape), range(2, u.ndim)
    if grid_type == "periodic":
        return _resized(u, shape)
    for axis in space:
        inner = np.take(u, range(u.shape[axis] - 2, 0, -1), axis)
        u = np.concatenate([u, inner], axis)
    return _resized(u, tuple(2 * (n - 1) for n in shape))[(..., *(slice(n) for n in shape))]


def nearest(u: np.ndarray, shape: Sequence[int], grid_type: str) -> np.ndarray:
    """The values of the nearest points, for what jumps from one to the next."""
    for axis, n in enumerate(shape, 2):
        u = np.take(u, np.floor(_places(u.shape[axis], n, grid_type) + 0.5).astype(int), axis)
    return u


def linear(u: np.ndarray, shape: Sequence[int], grid_type: str) -> np.ndarray:
    """Between the points linear along every axis, beyond the centres of the outermost cells constant."""
    for axis, n in enumerate(shape, 2):
        last = u.shape[axis] - 1
        place = np.clip(_places(last + 1, n, grid_type), 0, last)
        low = np.minimum(place.astype(int), max(last - 1, 0))
        weight = (place - low).reshape(-1, *[1] * (u.ndim - axis - 1))
        u = (1 - weight) * np.take(u, low, axis) + weight * np.take(u, np.minimum(low + 1, last), axis)
    return u


def cells_of_nodes(u: np.ndarray) -> np.ndarray:
    """Values at nodes on the cells half as wide as their distance, each that of the nearest node."""
    for axis in range(2, u.ndim):
        n = u.shape[axis]
        u = np.take(u, (np.arange(2 * (n - 1)) + 1) // 2, axis)
    return u


def nodes_of_cells(u: np.ndarray) -> np.ndarray:
    """Values at the nodes from those of the cells of `cells_of_nodes`: means, on the sides continued linearly."""
    for axis in range(2, u.ndim):
        first, second, before, last = (np.take(u, [i], axis) for i in (0, 1, -2, -1))
        u = np.concatenate([2 * first - second, u, 2 * last - before], axis)
        left = np.take(u, range(0, u.shape[axis], 2), axis)
        u = (left + np.take(u, range(1, u.shape[axis], 2), axis)) / 2
    return u


def _places(points: int, asked: int, grid_type: str) -> np.ndarray:
    """Where the points asked for are, in numbers of the points that there are."""
    if grid_type == "node":
        return np.arange(asked) * ((points - 1) / max(asked - 1, 1))
    return (np.arange(asked) + 0.5) * (points / asked) - 0.5


def _resized(u: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(_RESIZE(jnp.asarray(u, jnp.float64), shape))


def _resize(u: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return resize(u, shape, range(2, u.ndim))


_RESIZE: Callable[[jax.Array, tuple[int, ...]], jax.Array] = jax.jit(_resize, static_argnums=1)
