"""Fourier and cosine transforms of real fields: whole spectra, and truncated ones with interchangeable backends.

Coefficients are amplitudes ("forward" norm): u(x) = sum_f c_f exp(2 pi i f x / L). They do not depend on the
number of points, so a spectrum computed on one grid can be evaluated on another.
"""

import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact, Num

from . import _fft, _matmul
from ._modes import Basis, check_axes, kept_shape
from .plan import plan
from .sharded import over_batch, space_is_sharded, spread_space

__all__ = [
    "Backend",
    "Basis",
    "dctn",
    "fftn",
    "forward",
    "forward_complex",
    "forward_planes",
    "idctn",
    "ifftn",
    "inverse",
    "inverse_complex",
    "inverse_planes",
    "irfftn",
    "kept_shape",
    "rfftn",
]

Backend = Literal["auto", "fft", "matmul"]


def _real(u: jax.Array) -> jax.Array:
    """Float32 or float64, the two precisions a transform runs in."""
    if jnp.iscomplexobj(u):
        raise ValueError(f"u: got {u.dtype}, wanted a real array; fftn takes complex ones")
    return u if u.dtype == jnp.float64 else u.astype(jnp.float32)


def _settle(
    backend: str,
    array: jax.Array,
    axes: tuple[int, ...],
    shape: Sequence[int],
    n_modes: Sequence[int],
    basis: str,
) -> str:
    """Settles "auto" for a transform between a field of `shape` and its modes, one of which is `array`."""
    if basis not in ("fourier", "cosine"):
        raise ValueError(f"basis: got {basis!r}, wanted 'fourier' or 'cosine'")
    if backend not in ("auto", "fft", "matmul"):
        raise ValueError(f"backend: got {backend!r}, wanted 'auto', 'fft' or 'matmul'")
    if backend != "auto":
        return backend
    if space_is_sharded():
        return "matmul"
    after = max(axes) + 1
    channels = math.prod(array.shape[after:])
    batch = math.prod(n for a, n in enumerate(array.shape[:after]) if a not in axes)
    return plan(shape, n_modes, channels=channels, batch=batch, dtype=array.dtype, basis=basis).backend


def rfftn(u: Num[Array, "..."], axes: Sequence[int]) -> Complex[Array, "..."]:
    """Whole half spectrum of a real field, in NumPy's order.

    u_hat_k = 1/N sum_j u_j exp(-i k x_j)

    Args:
        u: real field; below float32 it is cast to float32.
        axes: the spatial axes; the last one is halved.

    Returns:
        Amplitudes, with S//2 + 1 entries on the last of `axes` and S on the others.

    Accuracy:
        Round-off: about eps log2(N) relative to the largest amplitude.
    """
    axes = check_axes(u.ndim, axes)
    return over_batch(lambda u: _fft.rfftn(u, axes), _real(u), axes)


def irfftn(u_hat: Complex[Array, "..."], shape: Sequence[int], axes: Sequence[int]) -> Float[Array, "..."]:
    """Real field of a whole half spectrum; the inverse of `rfftn`.

    Exactly: ifft along all axes but the last, Im of the last axis' zero and (even sizes) Nyquist frequency
    dropped, irfft along the last. So the result is defined, and the same on every platform, also for a spectrum
    that is not Hermitian.

    Args:
        u_hat: amplitudes in NumPy's order.
        shape: points per axis of `axes`.
        axes: the spatial axes; the last one is the half axis.

    Raises:
        ValueError: when the spectrum is not that of a field of `shape`.
    """
    axes, shape = check_axes(u_hat.ndim, axes), tuple(shape)
    wanted = (*shape[:-1], shape[-1] // 2 + 1)
    got = tuple(u_hat.shape[a] for a in axes)
    if got != wanted:
        raise ValueError(
            f"u_hat: got sizes {got} on axes {axes}, wanted {wanted} for a field of shape {shape}; "
            "change resolution with spectral.filters.resize_spectrum"
        )
    return over_batch(lambda u_hat: _fft.irfftn(u_hat, shape, axes), u_hat, axes)


def fftn(u: Inexact[Array, "..."], axes: Sequence[int]) -> Complex[Array, "..."]:
    """Whole spectrum of a complex field, in NumPy's order, as amplitudes."""
    axes = check_axes(u.ndim, axes)
    return over_batch(lambda u: _fft.fftn(u, axes), u, axes)


def ifftn(u_hat: Complex[Array, "..."], axes: Sequence[int]) -> Complex[Array, "..."]:
    """Complex field of a whole spectrum; the inverse of `fftn`."""
    axes = check_axes(u_hat.ndim, axes)
    return over_batch(lambda u_hat: _fft.ifftn(u_hat, axes), u_hat, axes)


def dctn(u: Num[Array, "..."], axes: Sequence[int]) -> Float[Array, "..."]:
    """Orthonormal DCT-II along every axis of `axes`.

    X_k = s_k sum_j u_j cos(pi k (2j + 1) / (2N)),  s_0 = sqrt(1/N),  s_k = sqrt(2/N)

    Sum of squares is preserved. `forward(..., basis="cosine")` is this, cut, over sqrt(number of points).
    """
    u = _real(u)
    axes = check_axes(u.ndim, axes)
    return over_batch(lambda u: _fft.dctn(u, axes), u, axes)


def idctn(x: Num[Array, "..."], axes: Sequence[int]) -> Float[Array, "..."]:
    """Inverse of `dctn`."""
    x = _real(x)
    axes = check_axes(x.ndim, axes)
    return over_batch(lambda x: _fft.idctn(x, axes), x, axes)


def forward_planes(
    u: Num[Array, "..."], n_modes: Sequence[int], *, axes: Sequence[int], backend: Backend = "auto"
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """The Fourier coefficients of `forward` as a (real, imaginary) pair, for operators that mix real planes."""
    u = _real(u)
    axes = check_axes(u.ndim, axes, n_modes)
    shape = [u.shape[a] for a in axes]
    if _settle(backend, u, axes, shape, n_modes, "fourier") == "fft":
        c = over_batch(lambda u: _fft.forward_fourier(u, n_modes, axes), u, axes)
        return c.real, c.imag
    return _matmul.forward_fourier(spread_space(u, axes[0]), n_modes, axes)


def inverse_planes(
    re: Float[Array, "..."],
    im: Float[Array, "..."],
    shape: Sequence[int],
    *,
    axes: Sequence[int],
    backend: Backend = "auto",
) -> Float[Array, "..."]:
    """`inverse` of Fourier coefficients given as a (real, imaginary) pair."""
    re, im = _real(re), _real(im)
    axes = check_axes(re.ndim, axes, shape)
    n_modes = [re.shape[a] for a in axes[:-1]] + [2 * re.shape[axes[-1]] - 1]
    if _settle(backend, re, axes, shape, n_modes, "fourier") == "fft":
        c = jax.lax.complex(re, im)
        return over_batch(lambda c: _fft.inverse_fourier(c, shape, axes), c, axes)
    return spread_space(_matmul.inverse_fourier(re, im, shape, axes), axes[0])


def forward_complex(u: Complex[Array, "..."], n_modes: Sequence[int], *, axes: Sequence[int]) -> Complex[Array, "..."]:
    """Lowest modes of a complex field: on every axis the signed frequencies -(k//2) .. k - k//2 - 1, k = min(n, S).

    Args:
        u: complex field, any layout.
        n_modes: modes per axis of `axes`, both signs counted.
        axes: the spatial axes, one to three, any sizes.

    Returns:
        Amplitudes, k entries on every axis of `axes`.
    """
    axes = check_axes(u.ndim, axes, n_modes)
    return over_batch(lambda u: _fft.forward_complex(u, n_modes, axes), u, axes)


def inverse_complex(
    coeffs: Complex[Array, "..."], shape: Sequence[int], *, axes: Sequence[int]
) -> Complex[Array, "..."]:
    """Complex field, on a grid of any size, of amplitudes in the order of `forward_complex`.

    Every coefficient goes to the bin of its signed frequency; frequencies that the grid does not have are dropped.
    """
    axes = check_axes(coeffs.ndim, axes, shape)
    return over_batch(lambda c: _fft.inverse_complex(c, shape, axes), coeffs, axes)


def forward(
    u: Num[Array, "..."],
    n_modes: Sequence[int],
    *,
    axes: Sequence[int],
    basis: Basis = "fourier",
    backend: Backend = "auto",
) -> Inexact[Array, "..."]:
    """Lowest modes of a real field.

    Fourier: c_f = 1/N sum_j u_j exp(-2 pi i f.j/S), on every axis but the last for the ascending signed
    frequencies -(k//2) .. k - k//2 - 1 with k = min(n, S), on the last for 0 .. min(n//2, S//2).
    Cosine: c_k = 1/N sum_j u_j phi_k(j), phi_0 = 1, phi_k = sqrt(2) cos(pi k (2j + 1) / (2S)), k < min(n, S).

    Args:
        u: real field, any layout; below float32 it is cast to float32.
        n_modes: modes per axis of `axes`; Fourier counts both signs.
        axes: the spatial axes, one to three, any sizes; the last one is the half axis.
        basis: "fourier" or "cosine".
        backend: "fft", "matmul", or "auto" for the faster by `spectral.plan`.

    Returns:
        Amplitudes (complex for Fourier, real for cosine), sizes `kept_shape(n_modes, S, basis)` on `axes`.

    Raises:
        ValueError: for a complex field, axes or mode counts that do not fit it, an unknown basis or backend.

    Accuracy:
        Round-off: the backends agree to about 1e-6 (float32) and 1e-15 (float64) of the largest amplitude.
    """
    if basis == "fourier":
        u = _real(u)
        axes = check_axes(u.ndim, axes, n_modes)
        return jax.lax.complex(*forward_planes(u, n_modes, axes=axes, backend=backend))
    u = _real(u)
    axes = check_axes(u.ndim, axes, n_modes)
    shape = [u.shape[a] for a in axes]
    if _settle(backend, u, axes, shape, n_modes, basis) == "fft":
        return over_batch(lambda u: _fft.forward_cosine(u, n_modes, axes), u, axes)
    return _matmul.forward_cosine(spread_space(u, axes[0]), n_modes, axes)


def inverse(
    coeffs: Inexact[Array, "..."],
    shape: Sequence[int],
    *,
    axes: Sequence[int],
    basis: Basis = "fourier",
    backend: Backend = "auto",
) -> Float[Array, "..."]:
    """Real field, on a grid of any size, of a truncated spectrum.

    Every coefficient goes to the bin of its signed frequency; frequencies that the grid does not have are dropped.
    The result is made real as in `irfftn`: a frequency -f on a leading axis without its partner +f counts in
    full where the last axis' frequency is positive, and by half where it is zero.

    Args:
        coeffs: amplitudes in the order of `forward`.
        shape: points per axis of `axes`, any sizes.
        axes: the spatial axes; the last one is the half axis.
        basis: "fourier" or "cosine".
        backend: as in `forward`.

    Returns:
        Field of `shape` on `axes`.

    Raises:
        ValueError: for axes or a shape that do not fit the coefficients, an unknown basis or backend.
    """
    if basis == "fourier":
        return inverse_planes(coeffs.real, coeffs.imag, shape, axes=axes, backend=backend)
    coeffs = _real(coeffs)
    axes = check_axes(coeffs.ndim, axes, shape)
    n_modes = [coeffs.shape[a] for a in axes]
    if _settle(backend, coeffs, axes, shape, n_modes, basis) == "fft":
        return over_batch(lambda c: _fft.inverse_cosine(c, shape, axes), coeffs, axes)
    return spread_space(_matmul.inverse_cosine(coeffs, shape, axes), axes[0])
