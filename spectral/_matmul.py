"""Truncated transforms as real matrix products, one per axis.

Along an axis of S points with highest kept frequency h the field is multiplied by [cos 0..h | sin 1..h], a real
matrix of 2h + 1 columns. Products over several axes then hold every cos cos, cos sin, ... combination, and sums and
differences of these, on arrays already cut down, are the complex coefficients. So each axis costs one real product
whatever the order of the axes, and its transpose is the inverse.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ._modes import crop_modes, kept_shape
from .sharded import space_is_sharded

Planes = tuple[jax.Array, jax.Array]


@functools.lru_cache(maxsize=256)
def _waves(size: int, highest: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin of 2 pi f j / size, [size, highest + 1] each, exact zeros where sin vanishes."""
    turns = np.outer(np.arange(size), np.arange(highest + 1)) % size
    angle = 2 * np.pi * turns / size
    # sin(pi) is 1e-16 in floating point, which would let the imaginary part of Nyquist through.
    return np.cos(angle), np.where(2 * turns % size == 0, 0.0, np.sin(angle))


def _leading_matrix(size: int, highest: int) -> np.ndarray:
    cos, sin = _waves(size, highest)
    return np.concatenate([cos, sin[:, 1:]], 1)


def _half_matrix(size: int, highest: int) -> np.ndarray:
    """The same for the half axis: minus the sine is the imaginary part."""
    cos, sin = _waves(size, highest)
    return np.concatenate([cos, -sin[:, 1:]], 1)


def _half_weights(size: int, highest: int) -> np.ndarray:
    """How many signs of its frequency each column of `_half_matrix` stands for."""
    f = np.concatenate([np.arange(highest + 1), np.arange(1, highest + 1)])
    return np.where((f == 0) | (2 * f == size), 1.0, 2.0)


@functools.lru_cache(maxsize=256)
def _cosines(size: int, count: int) -> np.ndarray:
    """1 and sqrt(2) cos(pi k (2j + 1) / (2 size)), [size, count]."""
    odd = np.outer(2 * np.arange(size) + 1, np.arange(count)) % (4 * size)
    return np.where(np.arange(count) == 0, 1.0, np.sqrt(2)) * np.cos(np.pi * odd / (2 * size))


def contract(u: jax.Array, matrix: np.ndarray, axis: int) -> jax.Array:
    """Replaces one axis of u, of size S, by u . matrix [S, m].

    An axis with enough elements behind it is contracted in place, with the matrix repeated over the axes in
    front: that is a batched product without moving the (large) field in memory. Else it is moved to the end.
    """
    columns = jnp.asarray(matrix, u.dtype)
    highest = jax.lax.Precision.HIGHEST
    behind = math.prod(u.shape[axis + 1 :])
    if behind >= 2 * matrix.shape[1]:
        batch = tuple(range(axis))
        repeated = jnp.broadcast_to(columns.T, (*u.shape[:axis], *columns.T.shape))
        # One axis behind, or the transpose of this product would move the field after all.
        flat = u.reshape(*u.shape[: axis + 1], behind)
        product = jax.lax.dot_general(repeated, flat, (((axis + 1,), (axis,)), (batch, batch)), precision=highest)
        return product.reshape(*u.shape[:axis], matrix.shape[1], *u.shape[axis + 1 :])
    product = jax.lax.dot_general(u, columns, (((axis,), (0,)), ((), ())), precision=highest)
    return jnp.moveaxis(product, -1, axis)


def _apply(u: jax.Array, matrices: Sequence[np.ndarray], axes: Sequence[int]) -> jax.Array:
    """Contracts every axis, in the order that moves the least."""
    pairs = list(zip(axes, matrices, strict=True))
    shrinks = math.prod(m.shape[1] for m in matrices) <= math.prod(m.shape[0] for m in matrices)
    # Shrinking, the first product meets the largest array: its axis should be the innermost one, or else have
    # as much as possible behind it. An axis spread over devices goes last instead, so that they add up arrays
    # that are already cut down on the other axes. Growing is the mirror image.
    first_axis_last = axes[-1] == u.ndim - 1 or space_is_sharded()
    if shrinks == first_axis_last:
        pairs.reverse()
    for axis, matrix in pairs:
        u = contract(u, matrix, axis)
    return u


def _slice(u: jax.Array, start: int, stop: int, axis: int) -> jax.Array:
    return jax.lax.slice_in_dim(u, start, stop, axis=axis)


def _zero(u: jax.Array, axis: int) -> jax.Array:
    return jnp.zeros_like(_slice(u, 0, 1, axis))


def _even(t: jax.Array, count: int, axis: int) -> jax.Array:
    """Cosine part of [cos | sin] at the `count` signed frequencies."""
    below = jnp.flip(_slice(t, 1, count // 2 + 1, axis), axis)
    return jnp.concatenate([below, _slice(t, 0, count - count // 2, axis)], axis)


def _odd(t: jax.Array, count: int, axis: int) -> jax.Array:
    """Sine part of [cos | sin] at the `count` signed frequencies, with their sign."""
    sin = _slice(t, count // 2 + 1, t.shape[axis], axis)
    above = _slice(sin, 0, count - count // 2 - 1, axis)
    return jnp.concatenate([-jnp.flip(sin, axis), _zero(t, axis), above], axis)


def _fold(c: jax.Array, sign: int, axis: int) -> jax.Array:
    """c_f + sign c_-f for f = 0 .. count//2, and c_0 once; the adjoint of `_even` (+1) and `_odd` (-1)."""
    count = c.shape[axis]
    negative = jnp.flip(_slice(c, 0, count // 2, axis), axis)
    positive = _slice(c, count // 2 + 1, count, axis)
    if count % 2 == 0:  # the lowest frequency has no partner
        positive = jnp.concatenate([positive, _zero(c, axis)], axis)
    folded = positive + sign * negative if count > 1 else positive
    if sign < 0:
        return folded
    return jnp.concatenate([_slice(c, count // 2, count // 2 + 1, axis), folded], axis)


def forward_fourier(u: jax.Array, n_modes: Sequence[int], axes: tuple[int, ...]) -> Planes:
    shape = [u.shape[a] for a in axes]
    *leading, stored = kept_shape(n_modes, shape)
    matrices = [_leading_matrix(s, k // 2) / s for s, k in zip(shape[:-1], leading, strict=True)]
    matrices.append(_half_matrix(shape[-1], stored - 1) / shape[-1])
    t = _apply(u, matrices, axes)
    last = axes[-1]
    re = _slice(t, 0, stored, last)
    im = jnp.concatenate([_zero(t, last), _slice(t, stored, t.shape[last], last)], last)
    for axis, count in zip(axes[:-1], leading, strict=True):
        re, im = (
            _even(re, count, axis) + _odd(im, count, axis),
            _even(im, count, axis) - _odd(re, count, axis),
        )
    return re, im


def inverse_fourier(re: jax.Array, im: jax.Array, shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    last = axes[-1]
    stored = min(re.shape[last], shape[-1] // 2 + 1)
    re, im = _slice(re, 0, stored, last), _slice(im, 0, stored, last)
    matrices = []
    for axis, size in zip(axes[:-1], shape[:-1], strict=True):
        re, im = crop_modes(re, size, axis), crop_modes(im, size, axis)
        matrices.append(_leading_matrix(size, re.shape[axis] // 2).T)
        re, im = (
            jnp.concatenate([_fold(re, 1, axis), -_fold(im, -1, axis)], axis),
            jnp.concatenate([_fold(im, 1, axis), _fold(re, -1, axis)], axis),
        )
    size = shape[-1]
    matrices.append((_half_matrix(size, stored - 1) * _half_weights(size, stored - 1)).T)
    return _apply(jnp.concatenate([re, _slice(im, 1, stored, last)], last), matrices, axes)


def forward_cosine(u: jax.Array, n_modes: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    shape = [u.shape[a] for a in axes]
    kept = kept_shape(n_modes, shape, "cosine")
    return _apply(u, [_cosines(s, k) / s for s, k in zip(shape, kept, strict=True)], axes)


def inverse_cosine(coeffs: jax.Array, shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    for axis, size in zip(axes, shape, strict=True):
        coeffs = _slice(coeffs, 0, min(size, coeffs.shape[axis]), axis)
    return _apply(coeffs, [_cosines(s, coeffs.shape[a]).T for s, a in zip(shape, axes, strict=True)], axes)
