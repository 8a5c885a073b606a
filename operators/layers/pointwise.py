"""The product at the heart of pointwise layers."""

import math

from jaxtyping import Array, Float


def matmul(x: Float[Array, "*b i"], w: Float[Array, "i o"]) -> Float[Array, "*b o"]:
    """x w at every point.

    Points count along one axis, so that this product and both of its gradients read the same array: XLA on a CPU
    would compute the layers in front once for every shape in which their result is read. Its weight gradient for a
    single output would first transpose x, so that is a product with a vector.
    """
    i, o = w.shape
    points = x.reshape(math.prod(x.shape[:-1]), i)
    y = points @ w if o > 1 else points @ w[:, 0]
    return y.reshape(*x.shape[:-1], o)
