"""A whole run in a few dimensions: points made in the step, errors on the test points, resume to the bit."""

import json
import shutil

import jax
import numpy as np
from hydra import compose, initialize_config_module
from run_testing import final_digests, losses, rows

from data.generation import ensure
from data.inline import InlineLoader
from data.schema import read_metadata
from data.source import load
from data.splits import SplitSpec
from pdes.high_dimensional import BallPoisson
from training.config import register
from training.restore import saved_steps
from training.run import run
from training.sharding import make_mesh

SMALL = (
    "experiment=hd_poisson",
    "pde.dims=5",
    "loss.directions.count=2",
    "operator.hidden_channels=8",
    "operator.n_layers=2",
    "data.splits.train.samples=64",
    "data.splits.valid.resolutions=[[50]]",
    "data.splits.test.resolutions=[[60]]",
    "trainer.epochs=3",
    "trainer.steps_per_dispatch=8",
    "checkpoint.keep_latest=3",
    "optimizer.learning_rate=1e-2",
    "logger.console_every_seconds=1e9",
    "plots=false",
    "mesh.data=2",
)


def train(place, *more):
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return run(compose("train", [*SMALL, f"data.root={place}/data", f"output={place}/runs", "run_id=hd", *more]))


def test_a_run_learns_reports_and_resumes(place):
    train(place)
    directory = place / "runs" / "hd"
    result = json.loads((directory / "result.json").read_text())
    # Of points in no order there is no H1 error.
    assert {"valid/rel_l2", "test_60/rel_l2"} <= set(result) and "test_60/rel_h1" not in result
    assert result["steps"] == 48 and result["test_60/rel_l2"] < 1
    assert np.mean(losses(directory)[-2:]) < np.mean(losses(directory)[:2])
    whole, digests = rows(directory), final_digests(directory)
    steps = saved_steps(directory / "checkpoints")
    assert len(steps) == 3
    for step in steps[1:]:
        for path in (directory / "checkpoints").glob(f"*{step}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    train(place)
    assert rows(directory) == whole and final_digests(directory) == digests


def test_the_points_of_a_step_are_those_of_the_file(place):
    generator, split = BallPoisson(dims=3, points=2), SplitSpec("train", 8, 7, ((2,),))
    (path,) = ensure(generator, split, place).values()
    stored = load(path)
    for mesh in (None, make_mesh(2)):
        loader = InlineLoader(generator, split, 4, mesh=mesh)
        x, y = jax.jit(loader.fetch)(loader.data(1), np.int32(1))
        assert loader.steps_per_epoch == 2 and list(loader.indices(1)) == [4, 5, 6, 7]
        # Solved in float64 there: the solution is another to the rounding of float32.
        np.testing.assert_array_equal(x, stored.x[4:])
        np.testing.assert_allclose(y, stored.y[4:], rtol=1e-5, atol=1e-6)


def test_a_field_of_more_components_than_an_attribute_holds(place):
    split = SplitSpec("test", 1, 0, ((2,),))
    (path,) = ensure(BallPoisson(dims=12_000, points=2), split, place).values()
    assert len(read_metadata(path).fields["point"].times) == 12_000
