"""Kronecker products of small matrices, one per axis, applied without being formed."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Inexact


def apply_along(matrix: Inexact[Array, "m n"], u: Inexact[Array, "..."], axis: int) -> Inexact[Array, "..."]:
    """The matrix times every line of u along an axis."""
    return jnp.moveaxis(jnp.tensordot(matrix, u, (1, axis)), 0, axis)


def apply_all(matrices: Sequence[Inexact[Array, "_ _"]], u: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    """(A_1 x .. x A_d) vec u: every matrix along its axis."""
    for axis, matrix in enumerate(matrices):
        u = apply_along(matrix, u, axis)
    return u
