"""How pointwise layers are computed: they are most of a training step, and bound by memory as much as by arithmetic."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.sharded import batch_is_sharded, space_is_sharded

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


def in_chunks(
    f: Callable[..., Float[Array, "b *space o"]], *arrays: Float[Array, "b *space _"], per_sample: bool = False
) -> Float[Array, "b *space o"]:
    """f(*arrays) for an f that treats points, or whole samples, independently; on a CPU in chunks of points.

    What lies between the arguments and the result then stays in the cache, and is computed again in the backward pass
    instead of written out: less than half the memory, and a faster step where memory is the limit. Accelerators want
    the whole batch at once; so does an array that the compiler spreads over devices.

    Args:
        f: maps arrays [b, *space, c] to [b, *space, o] for any shape of the leading axes.
        arrays: of the same leading axes.
        per_sample: whether f needs to see all points of a sample together.
    """
    *leading, _ = arrays[0].shape
    inner = _chunk(leading, per_sample)
    count = math.prod(leading) // math.prod(inner)
    if count == 1 or not _on_cpu() or batch_is_sharded() or space_is_sharded():
        return f(*arrays)
    chunks = tuple(a.reshape(count, *inner, a.shape[-1]) for a in arrays)
    out = jax.lax.map(lambda chunk: jax.checkpoint(f)(*chunk), chunks)
    return out.reshape(*leading, out.shape[-1])


def _chunk(leading: Sequence[int], per_sample: bool) -> tuple[int, ...]:
    """Leading axes of one chunk.

    Points in blocks of the size that the weight gradient wants: were the shapes different there, XLA would compute
    every activation once for each of them.
    """
    batch, *space = leading
    blocks, odd = divmod(math.prod(leading), BLOCK)
    if per_sample or odd:
        return _largest_divisor(batch, CACHED_POINTS // math.prod(space)), *space
    return _largest_divisor(blocks, CACHED_POINTS // BLOCK), BLOCK


def _largest_divisor(n: int, limit: int) -> int:
    return max(d for d in range(1, max(limit, 1) + 1) if n % d == 0)
