"""Test session: eight virtual CPU devices, strict promotion, checked axis annotations."""

import functools
import importlib.metadata
import os

# Most programs run once: compiled quickly rather than to be quick, which halves the time of the tests. XLA knows the
# second flag up to jaxlib 0.10 and refuses it later.
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if importlib.metadata.version("jaxlib").startswith("0.10."):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
# Before JAX starts its backend. Processes that tests start take over what is in QUICK_XLA_FLAGS.
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")
os.environ["QUICK_XLA_FLAGS"] = QUICK
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK} --xla_force_host_platform_device_count=8"
os.environ.setdefault("WANDB_MODE", "disabled")

import matplotlib
import pytest
from jaxtyping import install_import_hook

matplotlib.use("Agg")
# Every annotated function of the library checks shapes and types of its arguments while tests run.
install_import_hook(["spectral", "operators", "pdes", "data", "training"], "beartype.beartype")

import jax
from jax._src.interpreters import mlir
from jax._src.interpreters.partial_eval import DynamicJaxprTracer

# One compiler context for all programs. JAX makes one for each, and loads a dozen dialects into it: a fifth of the time
# of a small program, and the tests are thousands of those. Where JAX calls it otherwise they are slower again.
if hasattr(mlir, "make_ir_context"):
    fresh_context, shared_context = mlir.make_ir_context, functools.cache(mlir.make_ir_context)

    def make_ir_context():
        try:
            outer = mlir.ir.Context.current
        except ValueError:  # there is none
            outer = None
        # A program that is needed while another one is written down has a context of its own.
        return shared_context() if outer is None else fresh_context()

    mlir.make_ir_context = make_ir_context

# Flax asks arrays for their sharding. Traced ones have none, and JAX looks through the whole program for the reason
# that it gives, at every random number of every initialiser.
if hasattr(DynamicJaxprTracer, "_origin_msg"):
    DynamicJaxprTracer._origin_msg = lambda self: ""

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_collection_modifyitems(items):
    """The files with the longest tests first, so that both workers end at the same time."""
    items.sort(key=lambda item: not {"training", "repository", "peers"} & set(item.path.parts))


@pytest.fixture
def x64():
    """Float64 for one test."""
    with jax.enable_x64(True):
        yield
