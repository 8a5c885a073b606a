"""What the tests against the PyTorch library share."""

import jax
import numpy as np
import pytest


@pytest.fixture
def precision(request, monkeypatch):
    """A dtype for both sides. The library asks for `torch.cfloat` whatever its weights are."""
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
    library = pytest.importorskip("neuralop.layers.complex", reason="neuraloperator is not installed (extra `peers`)")
    if request.param is np.float64:
        monkeypatch.setattr(torch, "cfloat", torch.cdouble)
        monkeypatch.setattr(library.apply_complex, "__defaults__", (torch.cdouble,))
        torch.set_default_dtype(torch.float64)
    with jax.enable_x64(request.param is np.float64):
        yield request.param
    torch.set_default_dtype(torch.float32)
