"""Test session: eight virtual CPU devices, strict promotion, checked axis annotations."""

import os

# Before JAX starts its backend.
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("WANDB_MODE", "disabled")

import matplotlib
import pytest
from jaxtyping import install_import_hook

matplotlib.use("Agg")
# Every annotated function of the library checks shapes and types of its arguments while tests run.
install_import_hook(["spectral", "operators", "pdes", "data", "training"], "beartype.beartype")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def x64():
    """Float64 for one test."""
    with jax.enable_x64(True):
        yield
