"""The baselines of Transform Once: published settings of the FNO and the F-FNO, and an FNO with all its parts."""

import math

import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FFNO, FNO
from operators.layers.spectral_conv import SpectralConv


def counts(make) -> dict[str, int]:
    state = nnx.to_flat_state(nnx.state(nnx.eval_shape(make), nnx.Param))
    return {"/".join(map(str, path)): leaf.size for path, leaf in state}


def test_factorised_fno():
    """Without coordinates; the published residual subtracts, which the sign of the last linear layer makes the same."""
    made = counts(lambda: FFNO((62, 62), 1, 1, 82, n_layers=10, factor=2, positional_embedding=None, rngs=nnx.Rngs(0)))
    assert sum(made.values()) == 8_889_057


def test_fno():
    """48 rows and 24 columns of modes; the identity beside the 1x1 skip is a part of that skip's matrix.

    Ours lifts with one hidden layer more than the published linear map, and its convolutions have a bias.
    """
    made = counts(
        lambda: FNO((48, 46), 1, 1, 32, n_layers=6, use_channel_mlp=False, projection_channel_ratio=4, rngs=nnx.Rngs(0))
    )
    assert sum(size for name, size in made.items() if "tensor" in name) == 6 * 2 * 48 * 24 * 32 * 32
    assert sum(made.values()) == pytest.approx(14_166_593, rel=1e-3)


def test_the_imaginary_part_of_a_convolution_is_alive():
    """On white noise a spectrum has as much energy in either part; the published layer drops one of them."""
    conv = build(lambda: SpectralConv(8, 8, (12, 12), rngs=nnx.Rngs(0)))
    spectrum = np.fft.rfft2(np.asarray(apply(conv, sample(4, 32, 32, 8))), axes=(1, 2))[:, :, 1:6]
    assert 0.8 < np.sum(spectrum.imag**2) / np.sum(spectrum.real**2) < 1.25


def test_energy_of_white_noise_comes_through_a_cut_of_complex_modes():
    """s^2 = N / (2 c m1 (4 m2 - 3)) for real and imaginary parts: a column but the first counts twice. The published
    rule, N / (c (4 m1 m2 + 4)), lets 1.7 times the energy out."""
    n, m, c, rng = 32, 6, 8, np.random.default_rng(0)
    rows = np.r_[0:m, n - m : n]

    def ratio(variance):
        out = []
        for _ in range(8):
            x = rng.normal(size=(c, n, n))
            z = np.fft.rfft2(x, norm="ortho")[:, rows, :m]
            w = rng.normal(size=(2, c, c, 2 * m, m)) * math.sqrt(variance)
            full = np.zeros((c, n, n // 2 + 1), complex)
            full[:, rows, :m] = np.einsum("ixy,ioxy->oxy", z, w[0] + 1j * w[1])
            out.append(np.sum(np.fft.irfft2(full, (n, n), norm="ortho") ** 2) / np.sum(x**2))
        return np.mean(out)

    assert 0.9 < ratio(n * n / (2 * c * m * (4 * m - 3))) < 1.1
    assert 1.5 < ratio(n * n / (c * (4 * m * m + 4))) < 1.9
