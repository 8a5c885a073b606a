"""The spectral convolution against its definition, on every kind of grid."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import config
from operator_testing import apply, apply_to, build, sample

from operators.layers.compat import lowered
from operators.layers.modes import check_modes, mode_window
from operators.layers.spectral_conv import SpectralConv


def make(*args, **options) -> SpectralConv:
    return build(lambda: SpectralConv(*args, rngs=nnx.Rngs(0), **options))


def unit_conv(n_modes) -> SpectralConv:
    """One channel, every stored coefficient 1, no bias: the projection onto the kept modes."""
    conv = make(1, 1, n_modes, bias=False)
    tensor = conv.weight.tensor
    ones = np.zeros(tensor.shape, np.float32)
    ones[..., 0, :, :] = 1
    tensor[...] = jnp.asarray(ones)
    return conv


def wave(shape, frequencies, phase=0.3) -> np.ndarray:
    """cos(2 pi f.x + phase) on the grid, [1, *shape, 1] in float32."""
    points = np.meshgrid(*(np.arange(s) / s for s in shape), indexing="ij")
    angle = sum(2 * np.pi * f * x for f, x in zip(frequencies, points, strict=True))
    return np.cos(angle + phase)[None, ..., None].astype(np.float32)


def definition(conv: SpectralConv, u: np.ndarray, target) -> np.ndarray:
    """Float64: full complex spectrum, one matrix per signed frequency, the real part of the half-spectrum sum."""
    shape, d = u.shape[1:-1], conv.ndim
    u_hat = np.fft.fftn(u.astype(np.float64), axes=range(1, d + 1), norm="forward")
    w = np.asarray(conv.weight.dense()).astype(np.complex128)
    stored = w.shape[2:]
    ranges = []
    for s, t, k in zip(shape[:-1], target[:-1], stored[:-1], strict=True):
        k = min(s, t, k)
        ranges.append(range(-(k // 2), k - k // 2))
    ranges.append(range(min(shape[-1] // 2, target[-1] // 2, stored[-1] - 1) + 1))
    points = np.meshgrid(*(np.arange(t) / t for t in target), indexing="ij")
    v = np.zeros((u.shape[0], *target, conv.out_channels))
    for f in itertools.product(*ranges):
        row = (*(m + k // 2 for m, k in zip(f[:-1], stored[:-1], strict=True)), f[-1])
        c = u_hat[(slice(None), *f)] @ w[(slice(None), slice(None), *row)]
        # A frequency of the last axis above zero (and below Nyquist) stands for itself and its mirror image.
        weight = 1 if f[-1] == 0 or 2 * f[-1] == target[-1] else 2
        phase = np.exp(2j * np.pi * sum(m * x for m, x in zip(f, points, strict=True)))
        v += weight * (phase[None, ..., None] * c.reshape(-1, *[1] * d, conv.out_channels)).real
    return v + np.asarray(conv.bias[...])


@pytest.mark.parametrize(
    ("n_modes", "shape", "target"),
    [
        ((6,), (16,), None),
        ((7,), (15,), None),
        ((16,), (15,), None),
        ((16, 16), (15, 15), None),  # an even window used at an odd size
        ((15, 8), (8, 6), None),  # an odd one at an even size
        ((6, 5), (12, 9), (7, 20)),
        ((6, 6), (12, 12), (5, 4)),  # the output cannot hold the modes
        ((4, 5, 6), (8, 7, 9), None),
        ((4, 4, 4), (6, 8, 5), (9, 4, 12)),
    ],
)
def test_equals_its_definition(n_modes, shape, target):
    conv = make(2, 3, n_modes)
    u = np.asarray(sample(2, *shape, 2))
    want = definition(conv, u, target or shape)
    got = np.asarray(apply_to(conv, u, target))
    # float32 transforms and sums
    assert np.abs(got - want).max() <= 1e-6 * max(1, np.abs(want).max())


def test_values_of_a_textbook_convolution():
    """Rows 0 .. 7 and 24 .. 31 and columns 0 .. 7 of rfft2, recorded in float64 with NumPy."""
    conv = make(2, 3, (16, 14), bias=False)
    i = np.arange(16 * 8 * 2 * 3).reshape(16, 8, 2, 3)
    # Ours are in ascending order of frequencies, real and imaginary part before the channels.
    theirs = np.roll(np.stack([np.sin(0.3 + 0.7 * i), np.cos(0.5 + 0.9 * i)], axis=2), 8, axis=0)
    conv.weight.tensor[...] = jnp.asarray(theirs, jnp.float32)
    x = np.sin(0.2 + 0.53 * np.arange(2 * 32 * 32 * 2)).reshape(2, 32, 32, 2)
    y = np.asarray(apply(conv, jnp.asarray(x, jnp.float32)), np.float64).ravel()
    assert y.sum() == pytest.approx(4.211913, abs=1e-4) and (y**2).sum() == pytest.approx(27.184667, rel=1e-5)
    np.testing.assert_allclose(y[:4], (-0.033855, -0.058659, -0.048229, 0.028422), atol=2e-6)
    assert y[-1] == pytest.approx(-0.040225, abs=2e-6)


@pytest.mark.parametrize(
    ("n", "axis", "kept"), [(6, 0, {3: 0.5}), (6, 1, {3: 1.0}), (7, 0, {3: 1.0}), (7, 1, {3: 1.0})]
)
def test_mode_retention(n, axis, kept):
    """Below n/2 everything passes; at n/2 a leading axis of even n holds one sign only, so half the wave."""
    conv = unit_conv((n, n))
    for f in range(6):
        frequencies = [0, 0]
        frequencies[axis] = f
        u = wave((12, 12), frequencies, phase=0.0)
        np.testing.assert_allclose(apply(conv, u), kept.get(f, float(f < 3)) * u, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "target"), [((16, 16), None), ((16, 16), (32, 32)), ((16, 16), (9, 11)), ((15, 17), (30, 16))]
)
def test_unit_weights_are_the_identity_on_kept_modes(shape, target):
    conv = unit_conv((7, 7))
    for f in [(0, 0), (1, 0), (0, 1), (3, 0), (0, 3), (-3, 3), (2, -1), (3, 2)]:
        got = apply_to(conv, wave(shape, f), target)
        np.testing.assert_allclose(got, wave(target or shape, f), atol=1e-6)


def test_translation_equivariance():
    conv = make(2, 2, (6, 6, 6))
    u = sample(1, 8, 9, 10, 2)
    v = apply(conv, u)
    for axis in (1, 2, 3):
        shifted = apply(conv, jnp.roll(u, 3, axis))
        np.testing.assert_allclose(shifted, jnp.roll(v, 3, axis), atol=1e-6 * np.abs(v).max())


def test_same_function_on_every_grid():
    conv = make(1, 1, (8, 8))
    waves = [((1, 2), 0.1), ((-3, 1), 0.5), ((2, 0), 1.0), ((0, 3), 2.0)]

    def output(s):
        return np.asarray(apply(conv, sum(wave((s, s), f, phase) for f, phase in waves)))[0, ..., 0]

    coarse = output(16)
    for finer in (32, 64):
        step = finer // 16
        assert np.abs(output(finer)[::step, ::step] - coarse).max() <= 5e-7 * np.abs(coarse).max()
    want = np.fft.rfft2(coarse, norm="forward")
    for odd in (17, 33):
        got = np.fft.rfft2(output(odd), norm="forward")
        # Zero and positive, then negative frequencies of the leading axis: no grid here has a common point.
        for rows in (slice(0, 4), slice(-3, None)):
            np.testing.assert_allclose(got[rows, :4], want[rows, :4], atol=1e-6)


def test_imaginary_parts_at_zero_and_nyquist_have_no_gradient():
    conv = make(2, 2, (8,))
    u = sample(3, 8, 2)
    grads = jax.jit(jax.grad(lambda conv: jnp.sum(jnp.sin(conv(u)))))(conv).weight.tensor[...]  # [k, 2, i, o]
    assert np.all(grads[0, 1] == 0) and np.all(grads[4, 1] == 0)
    assert np.all(grads[1:4] != 0) and np.all(grads[:, 0] != 0)


@pytest.mark.parametrize(
    ("stored", "kept", "start"), [(16, 15, 1), (15, 8, 3), (16, 8, 4), (7, 7, 0), (6, 5, 1), (9, 5, 2)]
)
def test_windows_pair_equal_frequencies(stored, kept, start):
    """Stored rows -(K//2).. and kept rows -(k//2)..: both windows must begin at the same frequency."""
    window = mode_window((stored, 5), (kept, 3))
    assert window == (slice(start, start + kept), slice(0, 3))
    assert start - stored // 2 == -(kept // 2)


def test_window_of_the_library_is_one_below_for_an_odd_part_of_an_even_count():
    starts = [mode_window((stored, 5), (7, 3), compat="neuralop2")[0].start for stored in (16, 15, 8, 7)]
    assert starts == [4, 4, 0, 0]
    with pytest.raises(ValueError, match="compat: got 'neuralop', wanted"):
        SpectralConv(1, 1, (4, 4), compat="neuralop", rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("kept", "size"), [(3, 7), (6, 7), (7, 7), (4, 8)])
def test_the_release_shifts_twice_the_same_way(kept, size):
    """fftshift of an ascending spectrum, where ifftshift gives NumPy's order."""
    c = np.random.default_rng(0).normal(size=(2, kept, 3, 1)).astype(np.float32)
    spectrum = np.zeros((2, size, 3, 1), np.float32)
    begin = size // 2 - kept // 2
    spectrum[:, begin : begin + kept] = c
    got = np.asarray(lowered(jnp.asarray(c), (size, 4)))
    if size % 2 == 0:
        np.testing.assert_array_equal(got, c)
    else:
        np.testing.assert_array_equal(np.fft.ifftshift(got, 1), np.fft.fftshift(spectrum, 1))


def test_other_grids_of_the_release_are_refused():
    conv = make(1, 1, (4, 4), compat="neuralop2-release")
    assert apply_to(conv, sample(1, 8, 9, 1), (10, 12)).shape == (1, 10, 12, 1)
    with pytest.raises(ValueError, match=r"output_shape: got \(10, 12\) for \(9, 8\).* wanted the same grid"):
        conv(sample(1, 9, 8, 1), (10, 12))


def test_window_refuses_more_modes_than_stored():
    with pytest.raises(ValueError, match="kept modes"):
        mode_window((6, 4), (7, 4))


@pytest.mark.parametrize(
    ("n_modes", "shape", "allowed"),
    [((16, 16), (16, 16), "(15, 15)"), ((12, 40), (64, 33), "(12, 33)"), ((9,), (8,), "(7,)")],
)
def test_too_many_modes_for_training(n_modes, shape, allowed):
    with pytest.raises(ValueError, match="n_modes") as error:
        check_modes(n_modes, shape)
    assert f"at most n_modes={allowed}" in str(error.value)
    check_modes(eval(allowed), shape)


def test_check_modes_names_a_wrong_number_of_axes():
    with pytest.raises(ValueError, match="one count per axis"):
        check_modes((4, 4), (16,))


@pytest.mark.parametrize(
    "options",
    [
        {"n_modes": (0, 4)},
        {"n_modes": (2,) * 4},
        {"n_modes": (16.7, 16.2)},
        {"implementation": "fast"},
        {"spectral_dtype": "f8"},
    ],
    ids=str,
)
def test_bad_options(options, monkeypatch):
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=rf"{next(iter(options))}: got"):
        make(2, 2, **{"n_modes": (4, 4), **options})


def test_wrong_number_of_axes():
    conv = make(2, 2, (4, 4))
    with pytest.raises(ValueError, match="2 spatial axes"):
        conv(jnp.zeros((3, 8, 2)))
