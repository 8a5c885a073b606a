"""Weights of the PyTorch library become a run that is measured and trained on."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hydra import compose, initialize_config_module
from run_testing import overrides, train

from operators import TFNO, UNO
from operators.interop import to_neuraloperator
from training.convert import convert
from training.evaluate import Evaluation, evaluate
from training.restore import read_record

OPTIONS = ("mesh.data=1", "run_id=converted", "trainer.epochs=1", "data.normalize_inputs=channel")


def converted(place, weights, *more: str):
    with initialize_config_module("configs", version_base="1.3"):
        return convert(compose("convert", overrides=[*overrides(place, *OPTIONS, *more), f"weights={weights}"]))


def with_random_weights(operator):
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda leaf: jnp.asarray(0.3 * rng.normal(size=leaf.shape), leaf.dtype), nnx.state(operator))
    nnx.update(operator, state)
    return operator


@pytest.fixture(scope="module")
def operator():
    return with_random_weights(nnx.eval_shape(lambda: TFNO((6, 6), 1, 1, 8, n_layers=2, rank=0.1, rngs=nnx.Rngs(0))))


@pytest.fixture(scope="module")
def weights(place, operator):
    path = place / "model.npz"
    np.savez(path, allow_pickle=False, **to_neuraloperator(operator))
    return path


def test_a_run_that_is_measured_and_trained_on(place, weights, operator):
    folder = converted(place, weights)
    shapes = {name: leaf[0] for name, leaf in read_record(folder / "checkpoints", 0)["leaves"].items()}
    params = nnx.to_flat_state(nnx.state(operator, nnx.Param))
    assert {f"params/{'/'.join(map(str, path))}": list(leaf.shape) for path, leaf in params}.items() <= shapes.items()

    measured = evaluate(Evaluation(run=str(folder), devices=1))
    assert measured["step"] == 0 and np.isfinite(list(measured.values())).all() and "test_32x32/rel_l2" in measured

    with pytest.raises(FileExistsError, match="holds a run that has begun"):
        converted(place, weights)
    train(place, *OPTIONS)
    result = json.loads((folder / "result.json").read_text())
    assert result["resumed_from_step"] == 0
    assert result["test/rel_l2"] != measured["test/rel_l2"]


def test_a_u_shaped_operator(place):
    lists = {"uno_out_channels": [8, 6, 8], "uno_n_modes": [[6, 6], [4, 4], [6, 6]], "uno_scalings": [1, 0.5, 2]}
    narrow = {"hidden_channels": 8, "lifting_channels": 8, "projection_channels": 8, "n_layers": 3}
    options = lists | narrow | {"horizontal_skips_map": {2: 0}, "compat": "neuralop2"}
    uno = nnx.eval_shape(lambda: UNO(1, 1, **options, rngs=nnx.Rngs(0)))
    weights = to_neuraloperator(with_random_weights(uno))
    np.savez(place / "uno.npz", allow_pickle=False, **weights)
    more = ["operator=uno", *(f"++operator.{name}={value}" for name, value in options.items())]
    given = [*overrides(place, *OPTIONS, *more, "run_id=uno"), f"weights={place / 'uno.npz'}"]
    with initialize_config_module("configs", version_base="1.3"):
        folder = convert(compose("convert", overrides=[line for line in given if "operator.n_modes" not in line]))
    leaves = read_record(folder / "checkpoints", 0)["leaves"]
    assert leaves["params/horizontal_skips/0/weight"][0] == [8, 8]
    measured = evaluate(Evaluation(run=str(folder), devices=1))
    assert measured["step"] == 0 and np.isfinite(measured["test/rel_l2"])


def test_what_cannot_be_converted(place, weights):
    with pytest.raises(FileNotFoundError, match=r"no file .*wanted a state dict"):
        converted(place, place / "nothing.pt")
    with pytest.raises(ValueError, match=r"lifting\.fcs\.0\.weight: got real \[16, 3, 1\], wanted real \[8, 3, 1\]"):
        converted(place, weights, "operator.hidden_channels=4", "run_id=other")
    assert not (place / "outputs" / "other").exists()
