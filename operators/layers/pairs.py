"""Complex arithmetic on real arrays that carry a (re, im) axis of length two.

Complex parameters are stored this way because the JAX gradient of a complex parameter is the conjugate of the descent
direction, and because real products can run in bfloat16. Every product below is sum_s b_s (i^s a): one real
contraction over (re, im) and the summed index together, with `a` and `i a` side by side.

Two layouts: parameters and what is computed from them alone carry the pair on axis 0; Fourier coefficients
carry it just before the channel, [*modes, b, 2, c], so that (2, c) is one contraction index.
"""

import functools
import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float


def draw(rngs: nnx.Rngs, shape: tuple[int, ...], std: float, *, axis: int = 0) -> Float[Array, "..."]:
    """Circular complex normal numbers with E|z|^2 = std^2, the pair inserted at `axis` of `shape`."""
    full = (*shape[:axis], 2, *shape[axis:])
    # Drawn flat: random draws with five axes take seconds to compile on CPU; the numbers are the same.
    flat = rngs.params.normal((math.prod(full),), jnp.float32)
    return (flat * (std / math.sqrt(2))).reshape(full)


def modes_first(re: Float[Array, "b *k c"], im: Float[Array, "b *k c"]) -> Float[Array, "*k b 2 c"]:
    """Coefficients from the two planes of a transform."""
    return jnp.moveaxis(jnp.stack([re, im], axis=-2), 0, -3)


def batch_first(
    pairs: Float[Array, "*k b 2 c"],
) -> tuple[Float[Array, "b *k c"], Float[Array, "b *k c"]]:
    """The two planes of coefficients, as a transform takes them."""
    planes = jnp.moveaxis(pairs, -3, 0)
    return planes[..., 0, :], planes[..., 1, :]


def rotate(a: Float[Array, "..."], axis: int = 0) -> Float[Array, "..."]:
    """i a."""
    re, im = jnp.split(a, 2, axis=axis)
    return jnp.concatenate([-im, re], axis=axis)


def multiply(a: Float[Array, "..."], b: Float[Array, "..."], axis: int = 0) -> Float[Array, "..."]:
    """Elementwise complex product of pairs on the same axis; other axes of equal rank broadcast."""
    ar, ai = jnp.split(a, 2, axis=axis)
    br, bi = jnp.split(b, 2, axis=axis)
    return jnp.concatenate([ar * br - ai * bi, ar * bi + ai * br], axis=axis)


def tensordot(a: Float[Array, "..."], axis_a: int, b: Float[Array, "..."], axis_b: int) -> Float[Array, "..."]:
    """Complex contraction of one axis of each operand, [2, *rest_a, *rest_b]; both carry the pair on axis 0.

    Args:
        a: the operand that is duplicated (give the smaller one where both orders serve).
        axis_a: contracted axis, the pair axis not counted.
        b: the other operand.
        axis_b: contracted axis, the pair axis not counted.
    """
    both = jnp.stack([a, rotate(a)])
    axes = ((0, axis_a + 2), (0, axis_b + 1))
    return jnp.tensordot(both, b, axes=axes, precision=jax.lax.Precision.HIGHEST)


def apply_left(
    u: Float[Array, "2 n r"], t: Float[Array, "*b 2 r c"], *, pair_behind: bool = False
) -> Float[Array, "..."]:
    """y[.., n, c] = sum_r u[n, r] t[.., r, c], as [*b, 2, n, c], or [*b, n, 2, c] with the pair behind the new axis.

    Either way nothing is transposed: the rows of the (small) factor are put in the order wanted.
    """
    _, n, r = u.shape
    *b, _, _, c = t.shape
    block = jnp.stack([u, rotate(u)], axis=2)  # [2, n, (re, im) of t, r]
    if pair_behind:
        block = block.swapaxes(0, 1)
    t = t.reshape(-1, 2 * r, c)
    y = _dot(jnp.broadcast_to(block.reshape(2 * n, 2 * r), (len(t), 2 * n, 2 * r)), t)
    return y.reshape(*b, *((n, 2) if pair_behind else (2, n)), c)


def mix_shared(
    x: Float[Array, "*b 2 i"], w: Float[Array, "2 i o"], dtype: DTypeLike | None = None
) -> Float[Array, "*b 2 o"]:
    """y[o] = sum_i x[i] w[i, o], the same matrix for every mode: one real matrix product."""
    _, i, o = w.shape
    block = jnp.stack([w, rotate(w)]).transpose(0, 2, 1, 3).reshape(2 * i, 2 * o)
    y = _dot(x.reshape(-1, 2 * i), block, dtype)
    return y.reshape(*x.shape[:-1], o)


def mix_modes(
    x: Float[Array, "*k b 2 i"], w: Float[Array, "*k 2 i o"], dtype: DTypeLike | None = None
) -> Float[Array, "*k b 2 o"]:
    """y[k, o] = sum_i x[k, i] w[k, i, o], one matrix per mode: a batch of real matrix products.

    Modes lead, so each product reads and its weight gradient writes contiguous memory; `x` and `i x` stand side by
    side as rows, and the weight is used as it is stored.
    """
    *modes, b, _, i = x.shape
    o = w.shape[-1]
    rows = jnp.stack([x, rotate(x, axis=-2)], axis=-2)  # [*k, b, (re, im) of y, (re, im) of w, i]
    y = _dot(rows.reshape(-1, 2 * b, 2 * i), w.reshape(-1, 2 * i, o), dtype)
    return y.reshape(*modes, b, 2, o)


def mix_rows(x: Float[Array, "k n 2 i"], w: Float[Array, "k 2 i o"]) -> Float[Array, "k n 2 o"]:
    """`mix_modes` for many more rows than channels: the weight, not x, is written out twice."""
    k, n, _, i = x.shape
    o = w.shape[-1]
    block = jnp.stack([w, rotate(w, axis=1)], axis=1)  # [k, (re, im) of x, (re, im) of y, i, o]
    return _dot(x.reshape(k, n, 2 * i), block.swapaxes(2, 3).reshape(k, 2 * i, 2 * o)).reshape(k, n, 2, o)


def _dot(a: Float[Array, "..."], b: Float[Array, "..."], dtype: DTypeLike | None = None) -> Float[Array, "..."]:
    """Matrix product, batched over the same leading axes; `dtype` rounds the operands, sums keep their precision."""
    if dtype is None:
        return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
    # Inside `shard_map` a weight is the same on all devices and its gradient not yet: said here, where the cast's
    # transpose is the sum over the devices, because a hand-written gradient has to be of its operand's kind.
    varying_a, varying_b = (jax.typeof(v).mat.varying for v in (a, b))
    a = jax.lax.pcast(a, tuple(varying_b - varying_a), to="varying")
    b = jax.lax.pcast(b, tuple(varying_a - varying_b), to="varying")
    return _rounded_dot(a, b, dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _rounded_dot(a: Float[Array, "..."], b: Float[Array, "..."], dtype: DTypeLike) -> Float[Array, "..."]:
    return _product(_rounded(a, -1, dtype), _rounded(b, -2, dtype), a.dtype)


def _rounded_forward(a: Float[Array, "..."], b: Float[Array, "..."], dtype: DTypeLike) -> tuple:
    operands = _rounded(a, -1, dtype), _rounded(b, -2, dtype)
    return _product(*operands, a.dtype), operands


def _rounded_backward(dtype: DTypeLike, operands: tuple, dy: Float[Array, "..."]) -> tuple:
    # Both gradients are products of rounded operands too: left to itself, JAX multiplies dy in full precision.
    a, b = (values.astype(dy.dtype) * scale for values, scale in operands)
    da = _product(_rounded(dy, -1, dtype), _rounded(b.swapaxes(-1, -2), -2, dtype), dy.dtype)
    db = _product(_rounded(a.swapaxes(-1, -2), -1, dtype), _rounded(dy, -2, dtype), dy.dtype)
    return da, db


_rounded_dot.defvjp(_rounded_forward, _rounded_backward)

Rounded = tuple[Float[Array, "..."], Float[Array, "..."] | float]


def _rounded(a: Float[Array, "..."], axis: int, dtype: DTypeLike) -> Rounded:
    """An operand in another precision, and the scale to multiply it with.

    float16 reaches down to 6e-8 only, where the high modes of smooth fields and most gradients lie: there the vectors
    along the contracted axis are divided by a power of two near their largest entry, which changes no digit.
    """
    if dtype != jnp.float16:
        return a.astype(dtype), 1.0
    _, exponent = jnp.frexp(jnp.max(jnp.abs(a), axis=axis, keepdims=True))
    scale = jnp.ldexp(jnp.ones(exponent.shape, a.dtype), exponent)
    return (a / scale).astype(dtype), scale


def _product(a: Rounded, b: Rounded, dtype: DTypeLike) -> Float[Array, "..."]:
    return jnp.matmul(a[0], b[0], preferred_element_type=dtype) * a[1] * b[1]
