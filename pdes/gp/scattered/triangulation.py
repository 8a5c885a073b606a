"""Piecewise linear elements on scattered points: a coarse picture of an elliptic operator, to precondition with."""

import math

import numpy as np
import scipy.sparse
from jaxtyping import Float
from scipy.spatial import Delaunay

from .matern import Functionals


def linear_elements(points: Float[np.ndarray, "n d"], operator: Functionals) -> scipy.sparse.csr_array:
    """slope . grad u + laplacian Lap u at the first points, by elements on Delaunay's triangulation.

    The Laplacian is the stiffness matrix over lumped masses, a gradient the mean of those of the simplices around.
    Where the domain is not convex some simplices lie outside: they join points of the boundary alone, whose values are
    given.

    Args:
        points: those inside first, then those of the boundary.
        operator: at the points inside.

    Returns:
        The part of its matrix between the points inside.
    """
    simplices, d = Delaunay(points).simplices, points.shape[1]
    corners = np.concatenate([np.ones((*simplices.shape, 1)), points[simplices]], 2)
    volume = np.abs(np.linalg.det(corners)) / math.factorial(d)
    kept = volume > 1e-12 * volume.mean()
    simplices, corners, volume = simplices[kept], corners[kept], volume[kept]
    gradients = np.linalg.inv(corners)[:, 1:, :]  # of the hat functions, [simplex, axis, corner]
    mass = np.bincount(simplices.ravel(), np.repeat(volume, d + 1), len(points)) / (d + 1)
    stiffness = np.einsum("sia,sib,s->sab", gradients, gradients, volume)
    rows, slope, laplacian = len(operator.value), np.zeros(points.shape), np.zeros(len(points))
    slope[:rows], laplacian[:rows] = operator.slope, operator.laplacian
    along = np.einsum("sai,sib,s->sab", slope[simplices], gradients, volume / (d + 1))
    entries = along - laplacian[simplices][:, :, None] * stiffness
    pairs = np.broadcast_arrays(simplices[:, :, None], simplices[:, None, :])
    matrix = scipy.sparse.csr_array((entries.ravel(), (pairs[0].ravel(), pairs[1].ravel())), (len(points),) * 2)
    return scipy.sparse.diags_array(1 / mass[:rows]) @ matrix[:rows, :rows]
