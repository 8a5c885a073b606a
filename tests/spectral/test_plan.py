"""The plan: what it prints, what overrides it, and that its model has the right trends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral import transforms
from spectral.plan import DEVICES, device_constants, plan


def test_plan_prints_a_table():
    p = plan((256, 256), (16, 16), channels=32, batch=4, device="NVIDIA H100 80GB HBM3")
    lines = str(p).splitlines()
    assert "(256, 256)" in lines[0] and "H100" in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["backend", "fft", "matmul"]
    marked = next(line for line in lines if "fastest" in line)
    assert marked.startswith(p.backend)


@pytest.mark.parametrize(
    "kind", ["cpu", "NVIDIA A100-SXM4-80GB", "NVIDIA H200", "TPU v4", "TPU v5 lite", "something new"]
)
def test_few_modes_are_products_and_all_modes_of_a_long_axis_are_not(kind):
    """Products cost as many operations per point as there are modes, an FFT as the logarithm of the points."""
    assert plan((256, 256), (16, 16), channels=32, batch=4, device=kind).backend == "matmul"
    assert plan((65536,), (65536,), channels=8, batch=4, device=kind).backend == "fft"


@pytest.mark.parametrize(
    ("size", "modes", "faster"),
    [
        *((64, m, "matmul") for m in (4, 8, 16)),
        *((128, m, "matmul") for m in (8, 16, 32)),
        *((256, 16, "matmul"), (127, 16, "matmul")),
        *((128, 63, "fft"), (256, 64, "fft")),
    ],
)
def test_the_faster_one_of_known_times_is_chosen(size, modes, faster):
    """Two CPU cores, |k| <= modes of size x size points. Of that table 64 points with all modes (FFT twice as fast) is
    left out: with channels behind the points, products take 0.75 of the time here (`benchmarks.token_mixers`).
    """
    for channels in (1, 32):
        found = plan((size, size), (2 * modes, 2 * modes), channels=channels, batch=8, device="cpu")
        assert found.backend == faster


def test_model_has_the_right_trends():
    def seconds(backend, *args, **kwargs):
        return plan(*args, device="cpu", **kwargs).costs[backend].seconds

    for backend in ("fft", "matmul"):
        small = seconds(backend, (64, 64), (16, 16), channels=32)
        assert seconds(backend, (64, 64), (16, 16), channels=256) > 4 * small
        assert seconds(backend, (192, 192), (16, 16), channels=32) > 4 * small
        assert seconds(backend, (64, 64), (16, 16), channels=32, dtype=np.float64) > 1.5 * small
    assert seconds("fft", (241, 241), (16, 16)) > 2 * seconds("fft", (240, 240), (16, 16))
    # A cosine basis has half the columns of as many frequencies with both signs.
    assert seconds("matmul", (64, 64), (16, 16), basis="cosine") < seconds("matmul", (64, 64), (32, 32))


def test_every_device_kind_has_constants():
    assert device_constants("NVIDIA H100 PCIe") is DEVICES["nvidia h"]
    assert device_constants("TPU v5p") is DEVICES["tpu v5p"]
    assert device_constants("Radeon") is DEVICES[""]


def backend_used(**kwargs):
    """Which backend a call traces to."""
    u = jax.ShapeDtypeStruct((2, 32, 32, 4), jnp.float32)
    jaxpr = str(jax.make_jaxpr(lambda u: transforms.forward(u, (8, 8), axes=(1, 2), **kwargs))(u))
    return "fft" if "fft" in jaxpr else "matmul"


def test_overrides(monkeypatch):
    assert backend_used() == plan((32, 32), (8, 8), channels=4, batch=2).backend
    for backend, other in (("fft", "matmul"), ("matmul", "fft")):
        monkeypatch.setenv("SPECTRAL_BACKEND", backend)
        assert backend_used() == backend
        assert backend_used(backend=other) == other
        assert "SPECTRAL_BACKEND" in str(plan((32, 32), (8, 8)))
    monkeypatch.setenv("SPECTRAL_BACKEND", "fftw")
    with pytest.raises(ValueError, match="SPECTRAL_BACKEND: got 'fftw'"):
        backend_used()


def test_unknown_names_are_refused():
    u = jnp.zeros((8, 8))
    with pytest.raises(Exception, match="backend"):
        transforms.forward(u, (4, 4), axes=(0, 1), backend="fftw")
    with pytest.raises(Exception, match="basis"):
        transforms.forward(u, (4, 4), axes=(0, 1), basis="sine")
