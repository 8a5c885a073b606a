"""How pointwise layers are computed: they are most of a training step, and bound by memory as much as by arithmetic."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.sharded import batch_is_sharded

# Points whose activations fit in the cache of a CPU core or two, at the usual widths.
CACHED_POINTS = 4096
# Points per product in a weight gradient: the depth to which a CPU's product blocks its operands.
BLOCK = 128


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


@jax.custom_jvp
def matmul(x: Float[Array, "*b i"], w: Float[Array, "i o"]) -> Float[Array, "*b o"]:
    """x w at every point.

    Only the gradient with respect to w, a sum over all points, is arranged for a CPU. As products over short blocks of
    points, added up, it runs at twice the rate of one product that is as deep as there are points (XLA 0.10); for a
    single output, where that product first transposes x, at many times the rate.
    """
    return x @ w


@matmul.defjvp
def _matmul_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x, w), (dx, dw) = primals, tangents
    return x @ w, dx @ w + _linear_in_weight(x, dw)


def _linear_in_weight(x: Float[Array, "*b i"], dw: Float[Array, "i o"]) -> Float[Array, "*b o"]:
    """x dw, written such that its transpose is the weight gradient wanted."""
    points, i, o = math.prod(x.shape[:-1]), *dw.shape
    if o == 1:
        return (x @ dw[:, 0])[..., None]
    if not _on_cpu() or points % BLOCK:
        return x @ dw
    blocks = x.reshape(-1, BLOCK, i)
    return jnp.matmul(blocks, jnp.broadcast_to(dw, (len(blocks), i, o))).reshape(*x.shape[:-1], o)


def by_samples(f: Callable[..., Float[Array, "b *space o"]], *arrays: Float[Array, "b ..."]) -> Float[Array, "b *s o"]:
    """f(*arrays) for an f that treats every sample by itself, on a CPU a few samples at a time.

    What lies between the arguments and the result then stays in the cache, and is computed again in the backward pass
    instead of written out: less than half the memory, and a faster step where memory is the limit. Accelerators want
    the whole batch at once; so does a batch that is spread over devices by the compiler.

    Args:
        f: maps arrays [b, ...] to [b, *space, o], sample by sample.
        arrays: the first has the shape [b, *space, c].
    """
    batch, *space, _ = arrays[0].shape
    group = max(g for g in range(1, batch + 1) if batch % g == 0 and (g == 1 or g * math.prod(space) <= CACHED_POINTS))
    if group == batch or not _on_cpu() or batch_is_sharded():
        return f(*arrays)
    groups = [a.reshape(-1, group, *a.shape[1:]) for a in arrays]
    out = jax.lax.map(lambda group: jax.checkpoint(f)(*group), tuple(groups))
    return out.reshape(batch, *out.shape[2:])
