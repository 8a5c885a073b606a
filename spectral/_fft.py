"""Fast Fourier and cosine transforms: the whole spectrum, and pruned to the kept modes."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ._modes import fit_axis, kept_shape, place_modes, take_modes


def rfftn(u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.fft.rfftn(u, axes=axes, norm="forward")


def irfftn(u_hat: jax.Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    # GPU libraries leave artefacts when a multi-axis complex-to-real transform meets a spectrum that is not
    # Hermitian; the CPU's follows the rule by itself, bit for bit, and saves a third of the time.
    return jax.lax.platform_dependent(
        u_hat,
        cpu=lambda u_hat: jnp.fft.irfftn(u_hat, s=shape, axes=axes, norm="forward"),
        default=lambda u_hat: irfftn_by_axis(u_hat, shape, axes),
    )


def irfftn_by_axis(u_hat: jax.Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    """Complex transforms along the leading axes, then a real one along the last."""
    for axis in axes[:-1]:
        u_hat = jnp.fft.ifft(u_hat, axis=axis, norm="forward")
    return _to_real(u_hat, shape[-1], axes[-1])


def fftn(u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.fft.fftn(u, axes=axes, norm="forward")


def ifftn(u_hat: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.fft.ifftn(u_hat, axes=axes, norm="forward")


def _to_real(half: jax.Array, size: int, axis: int) -> jax.Array:
    """Half spectrum -> `size` real points along one axis, ignoring Im of zero and of Nyquist on every platform."""
    free = np.ones(half.shape[axis])
    free[0] = 0
    if size % 2 == 0 and half.shape[axis] > size // 2:
        free[size // 2] = 0
    free = jnp.asarray(free.reshape([-1 if a == axis else 1 for a in range(half.ndim)]), half.real.dtype)
    half = jax.lax.complex(half.real, half.imag * free)
    return jnp.fft.irfft(half, n=size, axis=axis, norm="forward")


# A transform runs along the innermost axis of memory, so the pruned ones bring the spatial axes to the end once and
# then rotate them: after as many turns as there are axes the order is the first one again, and every copy but one
# is of an array already cut down.
def _spatial_last(u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.moveaxis(u, axes, range(-len(axes), 0))


def _spatial_back(u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    return jnp.moveaxis(u, range(-len(axes), 0), axes)


def forward_fourier(u: jax.Array, n_modes: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    *leading, last = kept_shape(n_modes, [u.shape[a] for a in axes])
    d, end = len(axes), u.ndim - 1
    c = jnp.fft.rfft(_spatial_last(u, axes), norm="forward")[..., :last]
    for count in reversed(leading):
        c = jnp.fft.fft(jnp.moveaxis(c, -1, -d), norm="forward")
        c = take_modes(c, count, end)
    return _spatial_back(jnp.moveaxis(c, -1, -d), axes)


def inverse_fourier(coeffs: jax.Array, shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    *leading, last = shape
    d, end = len(axes), coeffs.ndim - 1
    stored = min(coeffs.shape[axes[-1]], last // 2 + 1)
    c = _spatial_last(coeffs, axes)[..., :stored]
    for size in leading:
        c = place_modes(jnp.moveaxis(c, -d, -1), size, end)
        c = jnp.fft.ifft(c, norm="forward")
    return _spatial_back(_to_real(jnp.moveaxis(c, -d, -1), last, end), axes)


def forward_complex(u: jax.Array, n_modes: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    d, end = len(axes), u.ndim - 1
    c = _spatial_last(u, axes)
    for count in reversed(n_modes):
        c = take_modes(jnp.fft.fft(c, norm="forward"), min(count, c.shape[-1]), end)
        c = jnp.moveaxis(c, -1, -d)
    return _spatial_back(c, axes)


def inverse_complex(coeffs: jax.Array, shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    d, end = len(axes), coeffs.ndim - 1
    c = _spatial_last(coeffs, axes)
    for size in shape:
        c = jnp.fft.ifft(place_modes(jnp.moveaxis(c, -d, -1), size, end), norm="forward")
    return _spatial_back(c, axes)


def dct(u: jax.Array, axis: int) -> jax.Array:
    """Orthonormal DCT-II along one axis through one real transform of the same length.

    Even points forwards then odd points backwards turn the cosine sum into the real part of a rotated Fourier
    coefficient (Makhoul 1980); the coefficients above N/2 are the imaginary parts of those below.
    """
    n = u.shape[axis]
    u = jnp.moveaxis(u, axis, -1)
    v = jnp.concatenate([u[..., ::2], jnp.flip(u[..., 1::2], -1)], -1)
    rotated = jnp.fft.rfft(v) * _rotation(n, u)
    high = jnp.flip(-rotated.imag[..., 1 : (n + 1) // 2], -1)
    x = jnp.concatenate([rotated.real, high], -1) * _scale(n, u)
    return jnp.moveaxis(x, -1, axis)


def idct(x: jax.Array, axis: int) -> jax.Array:
    """Inverse of `dct` (the orthonormal DCT-III)."""
    n = x.shape[axis]
    x = jnp.moveaxis(x, axis, -1)
    x = x / _scale(n, x)
    # Im of the rotated coefficient k is minus coefficient n-k; there is none for k = 0.
    real = x[..., : n // 2 + 1]
    imag = -jnp.flip(x[..., n - n // 2 :], -1)
    imag = jnp.concatenate([jnp.zeros_like(imag[..., :0], shape=(*imag.shape[:-1], 1)), imag], -1)
    v = jnp.fft.irfft(jax.lax.complex(real, imag) * jnp.conj(_rotation(n, x)), n=n)
    even, odd = v[..., : (n + 1) // 2], jnp.flip(v[..., (n + 1) // 2 :], -1)
    # Interleave: pad the odd points to the length of the even ones, stack, flatten, cut.
    odd = fit_axis(odd, even.shape[-1], odd.ndim - 1)
    u = jnp.stack([even, odd], -1).reshape(*even.shape[:-1], -1)[..., :n]
    return jnp.moveaxis(u, -1, axis)


def _rotation(n: int, like: jax.Array) -> jax.Array:
    angles = np.exp(-1j * np.pi * np.arange(n // 2 + 1) / (2 * n))
    return jnp.asarray(angles.reshape((1,) * (like.ndim - 1) + (-1,)), jnp.result_type(like.dtype, jnp.complex64))


def _scale(n: int, like: jax.Array) -> jax.Array:
    scale = np.full(n, np.sqrt(2 / n))
    scale[0] = np.sqrt(1 / n)
    return jnp.asarray(scale.reshape((1,) * (like.ndim - 1) + (-1,)), like.dtype)


def dctn(u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    for axis in axes:
        u = dct(u, axis)
    return u


def idctn(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    for axis in axes:
        x = idct(x, axis)
    return x


def forward_cosine(u: jax.Array, n_modes: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    for axis, count in zip(axes, n_modes, strict=True):
        size = u.shape[axis]
        u = jax.lax.slice_in_dim(dct(u, axis), 0, min(count, size), axis=axis) * size**-0.5
    return u


def inverse_cosine(coeffs: jax.Array, shape: Sequence[int], axes: tuple[int, ...]) -> jax.Array:
    for axis, size in zip(axes, shape, strict=True):
        coeffs = idct(fit_axis(coeffs, size, axis), axis) * size**0.5
    return coeffs
