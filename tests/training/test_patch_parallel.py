"""Patches spread over devices: the step of one device, its halos by permutes, and nothing gathered."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hydra import compose, initialize_config_module
from run_testing import losses

from operators import MGTFNO, TFNO
from training.check import check_components
from training.config import parse, register
from training.evaluate import Evaluation, evaluate
from training.losses import PerPatch, RelativeH1
from training.run import run
from training.sharding import NamedSharding, collectives, make_mesh, over_samples, traffic
from training.step import init_state, make_update, split_operator

SHAPE, LEVELS, BATCH = (32, 48), 2, 4
H1 = RelativeH1((6.0, 7.0))
PATCHES = PerPatch((6.0, 7.0), RelativeH1, LEVELS)


def step(loss, data, patches, antialias):
    """Loss, gradients and program of one step of a tensorised trunk, in float64."""
    trunk = functools.partial(TFNO, (4, 4), hidden_channels=4, n_layers=1, use_channel_mlp=False, rank=0.5)
    make = functools.partial(
        MGTFNO, 1, 1, trunk=trunk, levels=LEVELS, padding_fraction=(1 / 16, 1 / 12), antialias=antialias
    )
    model_of, shapes = split_operator(nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0))))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.asarray(0.4 * rng.normal(size=leaf.shape)), shapes)
    mesh, optimizer = make_mesh(data, patches), optax.sgd(1.0)
    update = make_update(model_of, loss, optimizer, mesh)
    batch = tuple(
        jax.device_put(rng.normal(size=(BATCH, *SHAPE, 1)), NamedSharding(mesh, jax.P(*mesh.axis_names)))
        for _ in range(2)
    )
    state = init_state(params, optimizer, False)
    program = jax.jit(update).lower(state, batch).compile()
    new, metrics = program(state, batch)
    assert metrics["loss"].dtype == jnp.float64
    grads = jax.tree.map(lambda before, after: np.asarray(before) - np.asarray(after), params, new.params)
    return float(metrics["loss"]), grads, program


@pytest.mark.parametrize(
    ("loss", "data", "patches", "antialias"),
    [(H1, 2, (2, 2), False), (PATCHES, 1, (4, 2), True)],
    ids=["stitched", "per patch, filtered"],
)
def test_eight_devices_equal_one(x64, loss, data, patches, antialias):
    """The same loss and the same gradients, as they are."""
    wanted, wanted_grads, alone = step(loss, 1, (), antialias)
    found, grads, program = step(loss, data, patches, antialias)
    # Round-off of float64; the gradient is read off an update of parameters of order 1.
    assert found == pytest.approx(wanted, rel=1e-13)
    for path, grad in jax.tree_util.tree_leaves_with_path(wanted_grads):
        other = functools.reduce(lambda tree, key: tree[key.key], path, grads)
        np.testing.assert_allclose(other, grad, atol=1e-13, rtol=1e-11)
        assert np.abs(grad).max() > 1e-6, path

    hlo = program.as_text()
    # Halos by permutes, gradients and scalars by sums; the filter adds sums of kept waves.
    assert set(collectives(hlo)) == {"collective-permute", "all-reduce"}
    sent = traffic(hlo)["collective-permute"]
    field = BATCH // data * np.prod(SHAPE) * 8
    assert max(sent) <= field / max(patches)  # a part of a device, with the halo of the other axis at most
    # Padded patches overlap, so eight devices hold more than an eighth each.
    held = [p.memory_analysis().temp_size_in_bytes for p in (alone, program)]
    assert held[1] < held[0] / 5


def start(place, run_id, *more):
    """A tiny run of a multi-grid TFNO; the folder it leaves."""
    register()
    settings = [
        "pde=synthetic", "data=synthetic", "data.splits.test=null", f"data.root={place / 'datasets'}",
        "operator=mgtfno", "operator.trunk.n_modes=[4,4]", "operator.trunk.hidden_channels=8",
        "operator.trunk.n_layers=1", "+operator.trunk.use_channel_mlp=false", "trainer.epochs=1",
        "plots=false", "logger.console_every_seconds=1e9", f"output={place}",
    ]  # fmt: skip
    with initialize_config_module("configs", version_base="1.3"):
        run(compose("train", overrides=[*settings, f"run_id={run_id}", *more]))
    return place / run_id


def test_a_run_from_its_config(place):
    """The same losses and scores on patches of four devices, in portions, from a file that is streamed there."""
    one = start(place, "one", "mesh.data=1")
    four = start(place, "four", "mesh.data=1", "mesh.patches=[2,2]", "trainer.accumulate=2", "data.loader=stream")
    # Round-off of float32, grown by the steps of Adam.
    np.testing.assert_allclose(losses(four), losses(one), rtol=1e-4)
    first, second = (json.loads((folder / "result.json").read_text())["valid/rel_l2"] for folder in (one, four))
    assert second == pytest.approx(first, rel=1e-4)
    # Another grid without retraining, one that cannot be cut: the map is of functions.
    found = evaluate(Evaluation(run=str(four), split="valid", resolution=18, devices=1))
    assert found["valid_18x18/rel_l2"] == pytest.approx(first, rel=0.1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("operator=fno", "operator.n_modes=[4,4]"), "for operators.FNO, wanted an operator on patches"),
        (("mesh.patches=[4]",), r"wanted divisors of the operator's patches \(2, 2\)"),
        (("mesh.patches=[0]",), "mesh.patches: got \\[0\\]"),
        (("operator.levels=3",), "resize the field to"),
    ],
)
def test_what_a_mesh_of_patches_needs(more, message):
    register()
    base = ("pde=synthetic", "data=synthetic", "operator=mgtfno", "operator.trunk.n_modes=[4,4]", "mesh.patches=[2]")
    base = tuple(item for item in base if "trunk" not in item) if "operator=fno" in more else base
    with initialize_config_module("configs", version_base="1.3"):
        cfg = compose("train", overrides=[*base, *more])
    with pytest.raises(Exception, match=message):
        check_components(parse(cfg)[0])


def test_meshes():
    mesh = make_mesh(-1, [2, 1])
    assert dict(mesh.shape) == {"data": 4, "patch_x": 2, "patch_y": 1}
    assert over_samples(mesh).shape == {"data": 8}
    with pytest.raises(ValueError, match=r"mesh.data: got 4 x mesh.patches=\[4\], wanted 1 to 8"):
        make_mesh(4, [4])
