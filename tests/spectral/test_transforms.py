"""Transforms against NumPy and SciPy, and the backends against each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft
import spectral_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral import _fft
from spectral import transforms as T

# Shape of the array, spatial axes, modes: odd and even sizes and counts, counts beyond the grid, one mode, one point,
# long and short rectangles, channels last, first and on both sides, axes not in order.
CASES = [
    ((2, 8), (1,), (5,)),
    ((7, 3), (0,), (9,)),
    ((2, 1), (1,), (4,)),
    ((8, 6, 3), (0, 1), (4, 4)),
    ((2, 5, 4), (1, 2), (6, 6)),
    ((2, 9, 6, 2), (1, 2), (5, 1)),
    ((2, 4, 15, 2), (1, 3), (3, 2)),
    ((6, 2, 7), (2, 0), (6, 3)),
    ((3, 4, 5, 2), (0, 1, 2), (2, 3, 4)),
    ((2, 6, 4, 5), (1, 2, 3), (6, 2, 5)),
]
BACKENDS = ["fft", "matmul"]
EPS = {np.float32: 1.2e-7, np.float64: 2.3e-16}


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def random_complex(*shape):
    return random(*shape, seed=1) + 1j * random(*shape, seed=2)


def sizes(case):
    shape, axes, _ = case
    return tuple(shape[a] for a in axes)


def targets(case):
    """The same grid, a finer and a coarser one, of other parities."""
    space = sizes(case)
    return [space, tuple(s + 3 for s in space), tuple(max(1, s - 3) for s in space)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_forward_and_inverse_equal_numpy(case, backend, x64):
    shape, axes, n_modes = case
    u = random(*shape)
    c_wanted = reference.forward(u, n_modes, axes)
    c = random_complex(*c_wanted.shape)

    @jax.jit
    def both(u, c):
        there = T.forward(u, n_modes, axes=axes, backend=backend)
        return there, [T.inverse(c, s, axes=axes, backend=backend) for s in targets(case)]

    got, back = both(u, c)
    # Sums of at most 100 terms of order one, with coefficients that add up to fields of order 10.
    np.testing.assert_allclose(got, c_wanted, atol=1e-14)
    assert got.shape == c.shape and got.dtype == jnp.complex128
    kept = T.kept_shape(n_modes, sizes(case))
    assert tuple(got.shape[a] for a in axes) == kept
    for s, field in zip(targets(case), back, strict=True):
        np.testing.assert_allclose(field, reference.inverse(c, s, axes), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", [CASES[1], CASES[4], CASES[5], CASES[8]], ids=str)
def test_backends_have_equal_gradients(case, dtype):
    """Also on the bins that only half count: zero and Nyquist frequency, a frequency without its partner."""
    shape, axes, n_modes = case
    with jax.enable_x64(dtype == np.float64):
        u, v = jnp.asarray(random(*shape), dtype), jnp.asarray(random(*shape, seed=5), dtype)
        c_shape = jax.eval_shape(functools.partial(T.forward, n_modes=n_modes, axes=axes, backend="fft"), u).shape
        re, im = jnp.asarray(random(*c_shape), dtype), jnp.asarray(random(*c_shape, seed=6), dtype)

        def gradients(backend):
            def there(u):
                planes = T.forward_planes(u, n_modes, axes=axes, backend=backend)
                return jnp.sum(planes[0] * re) + jnp.sum(planes[1] * im)

            def back(re, im):
                return jnp.sum(v * T.inverse_planes(re, im, sizes(case), axes=axes, backend=backend))

            return jax.jit(lambda: (jax.grad(there)(u), jax.grad(back, (0, 1))(re, im)))()

        (fft_u, (fft_re, fft_im)), (mm_u, (mm_re, mm_im)) = gradients("fft"), gradients("matmul")
    # Sums of up to 60 numbers of order one (amplitudes carry 1/N forward, none back).
    tolerance = 100 * EPS[dtype]
    np.testing.assert_allclose(fft_u, mm_u, atol=tolerance)
    np.testing.assert_allclose(fft_re, mm_re, atol=tolerance)
    np.testing.assert_allclose(fft_im, mm_im, atol=tolerance)
    # Means over the other axes are real at zero and Nyquist frequency: no influence of the imaginary part, exactly.
    size = shape[axes[-1]]
    real_bins = [0, size // 2] if size % 2 == 0 and c_shape[axes[-1]] > size // 2 else [0]
    for im_gradient in (np.asarray(fft_im), np.asarray(mm_im)):
        for axis in sorted(axes, reverse=True):
            im_gradient = im_gradient.take(real_bins if axis == axes[-1] else [c_shape[axis] // 2], axis)
        assert not im_gradient.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_error_is_round_off(backend):
    u = random(2, 24, 30, 3).astype(np.float32)
    c = jax.jit(lambda u: T.forward(u, (8, 9), axes=(1, 2), backend=backend))(u)
    field = jax.jit(lambda c: T.inverse(c, (24, 30), axes=(1, 2), backend=backend))(c)
    assert c.dtype == jnp.complex64 and field.dtype == jnp.float32
    wanted = reference.forward(u.astype(float), (8, 9), (1, 2))
    # Means of 720 numbers of order one: round-off of a few eps times their typical size, 1.
    assert np.abs(c - wanted).max() < 5 * EPS[np.float32]
    assert np.abs(field - reference.inverse(wanted, (24, 30), (1, 2))).max() < 50 * EPS[np.float32]


def test_every_size_agrees_in_one_dimension(x64):
    """All parities of grid and count, in one compiled function."""

    @jax.jit
    def differences():
        result = []
        for size in (1, 2, 3, 6, 7):
            u = jnp.asarray(random(2, size))
            for n in (1, 4, 5, 12):
                c = [T.forward(u, (n,), axes=(1,), backend=b) for b in ("fft", "matmul")]
                back = [T.inverse(1j * c[0] + c[1], (size + n % 3 - 1 or 1,), axes=(1,), backend=b) for b in BACKENDS]
                result += [jnp.abs(c[0] - c[1]).max(), jnp.abs(back[0] - back[1]).max()]
        return jnp.stack(result)

    assert differences().max() < 1e-14  # sums of ten numbers of order one


@pytest.mark.parametrize("shape,axes", [((5, 8), (1,)), ((6, 9), (0, 1)), ((2, 3, 4, 5), (1, 2, 3))])
def test_whole_transforms_equal_numpy(shape, axes, x64):
    u, z = random(*shape), random_complex(*shape)
    space = tuple(shape[a] for a in axes)
    u_hat = np.fft.rfftn(u, axes=axes, norm="forward")
    np.testing.assert_allclose(T.rfftn(jnp.asarray(u), axes), u_hat, atol=1e-15)  # means of numbers of order one
    np.testing.assert_allclose(T.irfftn(jnp.asarray(u_hat), space, axes), u, atol=1e-14)
    z_hat = np.fft.fftn(z, axes=axes, norm="forward")
    np.testing.assert_allclose(T.fftn(jnp.asarray(z), axes), z_hat, atol=1e-15)
    np.testing.assert_allclose(T.ifftn(jnp.asarray(z_hat), axes), z, atol=1e-14)


@pytest.mark.parametrize("space", [(6, 8), (5, 7), (4, 6, 4)])
def test_irfftn_follows_the_rule_for_spectra_that_are_not_hermitian(space, x64):
    axes = tuple(range(len(space)))
    u_hat = random_complex(*space[:-1], space[-1] // 2 + 1)
    half = np.fft.ifftn(u_hat, axes=axes[:-1], norm="forward")
    half[..., 0] = half[..., 0].real
    if space[-1] % 2 == 0:
        half[..., -1] = half[..., -1].real
    wanted = np.fft.irfft(half, n=space[-1], axis=-1, norm="forward")
    got = jax.jit(lambda h: T.irfftn(h, space, axes))(u_hat)
    np.testing.assert_allclose(got, wanted, atol=1e-13)  # 200 coefficients of order one
    mapped = jax.jit(jax.vmap(jax.vmap(lambda h: T.irfftn(h, space, axes))))(u_hat[None, None])
    np.testing.assert_allclose(mapped[0, 0], wanted, atol=1e-13)
    # What other platforms run, and its gradient.
    np.testing.assert_allclose(jax.jit(lambda h: _fft.irfftn_by_axis(h, space, axes))(u_hat), wanted, atol=1e-13)
    weights = random(*space)
    slopes = [
        jax.jit(jax.grad(lambda re, im, f=f: jnp.sum(weights * f(jax.lax.complex(re, im), space, axes)), (0, 1)))
        for f in (T.irfftn, _fft.irfftn_by_axis)
    ]
    for a, b in zip(*(slope(u_hat.real, u_hat.imag) for slope in slopes), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[2], CASES[4], CASES[8]], ids=str)
def test_cosine_basis_equals_scipy(case, backend, x64):
    shape, axes, n_modes = case
    u, space = random(*shape), sizes(case)
    wanted = scipy.fft.dctn(u, axes=axes, norm="ortho") / np.sqrt(np.prod(space))
    for axis, n in zip(axes, n_modes, strict=True):
        wanted = wanted.take(range(min(n, wanted.shape[axis])), axis)

    @jax.jit
    def there_and_back(u):
        c = T.forward(u, n_modes, axes=axes, basis="cosine", backend=backend)
        return c, [T.inverse(c, s, axes=axes, basis="cosine", backend=backend) for s in targets(case)]

    got, back = there_and_back(u)
    np.testing.assert_allclose(got, wanted, atol=1e-14)  # means of numbers of order one
    for target, field in zip(targets(case), back, strict=True):
        padded = np.zeros([target[axes.index(a)] if a in axes else n for a, n in enumerate(shape)])
        inside = tuple(slice(0, min(p, w)) for p, w in zip(padded.shape, wanted.shape, strict=True))
        padded[inside] = wanted[inside]
        expected = scipy.fft.idctn(padded, axes=axes, norm="ortho") * np.sqrt(np.prod(target))
        np.testing.assert_allclose(field, expected, atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 9])
def test_dctn_is_the_orthonormal_dct(size, x64):
    u = random(3, size, 4)
    x = scipy.fft.dctn(u, axes=(1, 2), norm="ortho")
    got, back = jax.jit(lambda u, x: (T.dctn(u, (1, 2)), T.idctn(x, (1, 2))))(u, x)
    np.testing.assert_allclose(got, x, atol=1e-14)
    np.testing.assert_allclose(back, u, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_which_modes_are_kept(backend):
    """n = 6 on 12 points: a leading axis keeps |f| <= 2 and half of f = +-3, the last axis 0 .. 3; n = 7: |f| <= 3."""
    points = 2 * np.pi * np.arange(12) / 12

    @functools.partial(jax.jit, static_argnums=1)
    def amplitude(waves, n):
        c = T.forward(waves, (n, n), axes=(1, 2), backend=backend)
        kept = T.inverse(c, (12, 12), axes=(1, 2), backend=backend)
        return jnp.sum(kept * waves, (1, 2)) / jnp.sum(waves * waves, (1, 2))

    frequencies = np.arange(6)
    along_last = np.cos(frequencies[:, None, None] * points[None, None, :]) * np.ones((1, 12, 1))
    along_first = np.swapaxes(along_last, 1, 2)
    cases = {
        6: ([1, 1, 1, 0.5, 0, 0], [1, 1, 1, 1, 0, 0]),
        7: ([1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]),
    }
    for n, (first, last) in cases.items():
        np.testing.assert_allclose(amplitude(along_first.astype(np.float32), n), first, atol=1e-6)
        np.testing.assert_allclose(amplitude(along_last.astype(np.float32), n), last, atol=1e-6)


SPACE, MODES = (12, 15), (6, 7)


@functools.cache
def compiled(backend):
    return jax.jit(lambda u: T.forward(u, MODES, axes=(0, 1), backend=backend))


@functools.cache
def compiled_back(backend):
    return jax.jit(lambda c: T.inverse(c, SPACE, axes=(0, 1), backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.tuples(st.integers(0, 11), st.integers(0, 14)))
def test_translation_multiplies_by_phases(backend, seed, shift):
    u = random(*SPACE, seed=seed).astype(np.float32)
    phases = 1
    for axis, (s, size, f) in enumerate(zip(shift, SPACE, ([-3, -2, -1, 0, 1, 2], [0, 1, 2, 3]), strict=True)):
        phase = np.exp(-2j * np.pi * np.array(f) * s / size)
        phases = phases * phase.reshape([-1 if a == axis else 1 for a in range(2)])
    moved = compiled(backend)(np.roll(u, shift, (0, 1)))
    np.testing.assert_allclose(moved, phases * np.asarray(compiled(backend)(u)), atol=1e-6)  # a few eps of float32


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_parseval_and_round_trip_of_band_limited_fields(backend, seed):
    u = random(*SPACE, seed=seed).astype(np.float32)
    # Odd counts: every kept frequency has its partner.
    c = np.asarray(compiled(backend)(u))[1:]
    c = np.concatenate([np.zeros_like(c[:1]), c])
    field = np.asarray(compiled_back(backend)(c))
    again = np.asarray(compiled(backend)(field))
    np.testing.assert_allclose(again, c, atol=1e-6)  # a few eps of float32
    weights = np.array([1, 2, 2, 2])
    np.testing.assert_allclose(np.mean(field.astype(float) ** 2), np.sum(weights * np.abs(c) ** 2), rtol=1e-5)


def test_round_trip_of_the_whole_spectrum(x64):
    """irfftn of rfftn of a field is the field to 1e-15 of its size."""
    u = jnp.asarray(random(64, 64))
    back = T.irfftn(T.rfftn(u, (0, 1)), (64, 64), (0, 1))
    assert jnp.linalg.norm(back - u) <= 1e-15 * jnp.linalg.norm(u)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_accelerators_agree_with_numpy(size):
    """Sizes at which multi-axis complex-to-real transforms of GPU libraries leave artefacts."""
    u_hat = random_complex(size, size // 2 + 1).astype(np.complex64)
    half = np.fft.ifft(u_hat.astype(complex), axis=0, norm="forward")
    half[:, 0], half[:, -1] = half[:, 0].real, half[:, -1].real
    wanted = np.fft.irfft(half, n=size, norm="forward")
    whole = T.irfftn(jnp.asarray(u_hat), (size, size), (0, 1))
    assert np.abs(whole - wanted).max() < 1e-5 * np.abs(wanted).max()
    u = wanted.astype(np.float32)
    for backend in BACKENDS:
        c = T.forward(jnp.asarray(u), (16, 16), axes=(0, 1), backend=backend)
        c_wanted = reference.forward(u.astype(float), (16, 16), (0, 1))
        assert np.abs(c - c_wanted).max() < 1e-5 * np.abs(c_wanted).max()


def test_layouts_and_negative_axes_agree():
    u = random(2, 10, 12, 3).astype(np.float32)

    @jax.jit
    def in_three_layouts(u):
        first = jnp.moveaxis(u, 3, 1)
        matmul = [T.forward(u, (4, 5), axes=(1, 2)), T.forward(first, (4, 5), axes=(-2, -1))]
        return *matmul, T.forward(first, (4, 5), axes=(-2, -1), backend="fft")

    last, first, first_fft = in_three_layouts(u)
    np.testing.assert_allclose(np.moveaxis(last, 3, 1), first, atol=1e-7)  # one float32 eps
    np.testing.assert_allclose(first_fft, first, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_runs_in_float32(backend):
    @jax.jit
    def there_and_back(u):
        planes = T.forward_planes(u, (4, 4), axes=(0, 1), backend=backend)
        halves = [p.astype(jnp.bfloat16) for p in planes]
        return T.forward(u, (4, 4), axes=(0, 1), backend=backend), T.inverse_planes(*halves, (8, 8), axes=(0, 1))

    u = random(8, 8).astype(jnp.bfloat16)
    (c, field), (wanted, _) = there_and_back(u), there_and_back(u.astype(np.float32))
    assert c.dtype == jnp.complex64 and field.dtype == jnp.float32
    np.testing.assert_array_equal(c, wanted)


def test_errors_name_what_is_wrong():
    u = jnp.zeros((4, 6))
    for wrong, words in [
        (lambda: T.forward(u, (4,), axes=(0, 1)), "n_modes: got"),
        (lambda: T.forward(u, (4, 4), axes=(0, 0)), "axes: got"),
        (lambda: T.forward(u, (4, 4), axes=(0, 2)), "axes: got"),
        (lambda: T.forward(u + 0j, (4, 4), axes=(0, 1)), "fftn takes complex"),
        (lambda: T.irfftn(T.rfftn(u, (0, 1)), (4, 8), (0, 1)), "resize_spectrum"),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()
