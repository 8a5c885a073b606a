"""The benchmark's own solver behind the files: nonlinear, time stepping, two stored resolutions."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from data.generation import ensure
from data.instantiate import instantiate
from data.source import load
from data.splits import SplitSpec, plan
from pdes.generators import NavierStokesForcing

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(scope="module")
def generator():
    return NavierStokesForcing(shape=(36, 30), final_time=0.5)


@pytest.fixture(scope="module")
def split():
    return SplitSpec("test", 9, seed=4, resolutions=((12, 10), (24, 20)))


@pytest.fixture(scope="module")
def files(generator, split, tmp_path_factory):
    return ensure(generator, split, tmp_path_factory.mktemp("many"), devices=jax.devices())


def test_one_device_gives_the_same_bits(generator, split, files, tmp_path):
    one = ensure(generator, split, tmp_path, devices=jax.devices()[:1])
    for shape in split.resolutions:
        assert one[shape].read_bytes() == files[shape].read_bytes()


def test_files_hold_what_the_solver_makes(generator, files):
    samples = load(files[24, 20])
    assert samples.x.shape == samples.y.shape == (9, 24, 20, 1)
    with jax.enable_x64(True):
        made = jax.jit(generator)(jax.random.fold_in(jax.random.key(4), 7))
        wanted = {name: np.asarray(generator.restrict(u, (24, 20))) for name, u in made.items()}
    # Rounded to float32, after another fusion of the float64 solver.
    np.testing.assert_allclose(samples.x[7, ..., 0], wanted["forcing"][0], atol=1e-7)
    np.testing.assert_allclose(samples.y[7, ..., 0], wanted["vorticity"][0], atol=1e-7)


def test_provenance(generator, files):
    metadata = load(files[12, 10]).metadata
    assert instantiate(metadata.generator) == generator
    assert metadata.parameters["reynolds"] == 500.0
    assert metadata.parameters["solver_grid"] == "36x30"
    assert "27 (-Lap + 9 I)^-4" in metadata.parameters["forcing_covariance"]
    assert metadata.inputs == {"forcing": [0]} and metadata.targets == {"vorticity": [-1]}
    assert metadata.fields["vorticity"].unit == "1/time" and metadata.fields["vorticity"].times == (0.5,)


def everything() -> list:
    """All pdes. Of those that one generator draws, the fast tier takes one."""
    # Sets that are drawn at other sizes, by a generator of their own kind, have tests of their own.
    others = {
        "global_vorticity",
        "gp_darcy",
        "gp_poisson",
        "inpainting",
        *(path.stem for path in (CONFIGS / "pde").glob("hd_*")),
    }
    paths = sorted(path for path in (CONFIGS / "pde").glob("*.yaml") if path.stem not in others)
    alike = {path.stem for path in paths if "RandomStart" in path.read_text()}
    alike -= {"heat"}
    alike |= {path.stem for path in paths if path.stem.endswith("_long")}  # more snapshots of another
    slow = pytest.mark.slow
    return [pytest.param(path.stem, marks=slow) if path.stem in alike else path.stem for path in paths]


@pytest.mark.parametrize("pde", everything())
def test_every_equation_generates_from_its_config(pde, tmp_path):
    """The command `python -m data.generate pde=<pde>` on a small grid, two samples of each set."""
    tiny = {
        "ns_forcing": ["pde.final_time=0.1"],
        "ns_decaying": ["pde.warmup=0.1"],
        "ns_decaying_long": ["pde.warmup=0.1"],
        "ns_li_long": ["pde.warmup=0.1"],
        "ns_kolmogorov": ["pde.warmup=0.1"],
        "gray_scott": ["pde.warmup=10.0"],
        "airfoil": ["pde.transient=0.2", "pde.mean=0.2"],
        # So few points hold the waves that decay in a short box only.
        "kuramoto_sivashinsky": ["pde.length=20.0", "pde.warmup=1.0"],
        "kuramoto_sivashinsky_2d": ["pde.length=20.0", "pde.warmup=1.0"],
    }
    with initialize_config_module("configs", version_base="1.3"):
        cfg: Any = OmegaConf.to_container(compose("generate", [f"pde={pde}", *tiny.get(pde, [])]), resolve=True)
    plan(cfg["pde"], cfg["data"])  # at its own size
    for split in cfg["data"]["splits"].values():
        ndim = len(split["resolutions"][0])
        # Cells need three of the solver each; in three dimensions points are dear, and 3/2 suffice.
        split.update(samples=2, resolutions=[[12] * ndim], generator={"shape": [18 if ndim == 3 else 36] * ndim})
    for generator, split in plan(cfg["pde"], cfg["data"]).values():
        (path,) = ensure(generator, split, tmp_path).values()
        samples = load(path)
        assert samples.metadata.grid_type == generator.grid_type
        channels = [sum(map(len, fields.values())) for fields in (generator.inputs, generator.targets)]
        assert [u.shape for u in (samples.x, samples.y)] == [(2, *[12] * ndim, c) for c in channels]
        assert 1e-4 < samples.y.std() < 10
