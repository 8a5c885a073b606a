"""Training on coefficients is training on fields, at a cost that does not depend on the grid."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from numpy_weights import build
from run_testing import losses, train

from data.normalizer import Normalizer
from operators import T1
from training.k_space import KSpace
from training.losses import RelativeL2, SpectralL2
from training.sharding import make_mesh
from training.step import init_state, make_update, split_operator
from training.trained import load_run


def field(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape) + 0.5, jnp.float32)


def space_of(operator, x, y, cached=True):
    normalizers = (Normalizer.fit(np.asarray(v)) for v in (x, y))
    return KSpace(operator.truncation, x.shape[1:-1], *normalizers, SpectralL2((1.0, 1.0)), cached)


@pytest.mark.parametrize(
    "options", [{}, {"basis": "fourier", "norm": "function"}, {"selection": "top_energy", "kept_modes": 9}], ids=str
)
def test_loss_and_gradient_are_those_of_fields(options):
    operator = build(lambda: T1((5, 6), 2, 3, 4, n_layers=1, rngs=nnx.Rngs(0), **options))
    x, y = field(3, 13, 12, 2), field(3, 13, 12, 3, seed=1)
    space = space_of(operator, x, y)
    model_of, params = split_operator(operator)
    statistics = nnx.to_pure_dict(nnx.state(operator, nnx.BatchStat))
    inputs, target = jax.jit(space.rows)(x, y)

    def of_coefficients(params):
        model = model_of(params, statistics)
        return jnp.mean(space.objective().terms(lambda v: space.call(model, v), inputs, target, jnp.int32(0))["loss"])

    def of_fields(params):
        v = model_of(params, statistics)(space.inputs.encode(x))
        return jnp.mean(RelativeL2((1.0, 1.0))(v, space.targets.encode(y)))

    (a, da), (b, db) = (jax.jit(jax.value_and_grad(f))(params) for f in (of_coefficients, of_fields))
    assert float(a) == pytest.approx(float(b), rel=1e-5)
    size = float(optax.tree.norm(db))
    assert float(optax.tree.norm(jax.tree.map(jnp.subtract, da, db))) < 1e-4 * size and size > 0


def test_the_loss_cannot_fall_below_the_tail():
    operator = build(lambda: T1((5, 5), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    y = field(3, 12, 12, 1)
    space = space_of(operator, y, y)
    _, row = jax.jit(space.rows)(y, y)
    best = space.objective().terms(lambda z: z.reshape(3, 5, 5, 1, 1), row[:, :25], row, jnp.int32(0))["loss"]
    target = space.targets.encode(y)
    floor = jax.jit(lambda target: RelativeL2((1.0, 1.0))(operator.project(target), target))(target)
    np.testing.assert_allclose(best, floor, rtol=1e-5)
    assert np.all(np.asarray(floor) > 0.5)  # white noise: most of it is outside


def flops(n, cached):
    operator = build(lambda: T1((6, 6), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    model_of, params = split_operator(operator)
    optimizer = optax.adam(1e-3)
    u = field(2, n, n, 1)
    space = space_of(operator, u, u, cached)
    update = make_update(model_of, space.objective(), optimizer, make_mesh(1), call=space.call)
    batch = jax.eval_shape(space.rows, u, u) if cached else (u, u)
    cost = jax.jit(update).lower(init_state(params, optimizer, False), batch).compile().cost_analysis()
    return cost["flops"]


def test_cost_of_a_step_does_not_depend_on_the_grid():
    assert flops(12, True) == flops(48, True)
    assert flops(48, False) > 1.5 * flops(48, True)


def test_a_run_on_coefficients(tmp_path):
    """With chosen modes and scales from the data, which a checkpoint keeps."""
    more = ("operator=t1", "operator.selection=top_energy", "operator.kept_modes=12", "operator.init=data_aware")
    train(tmp_path, *more, "loss=l2_spectral", "run_id=run")
    values = losses(tmp_path / "outputs" / "run")
    assert values[-1] < 0.95 * values[0]  # sixteen steps
    result = json.loads((tmp_path / "outputs" / "run" / "result.json").read_text())
    for name in ("valid", "test"):
        assert result[f"{name}/rel_l2"] > result[f"{name}/floor_rel_l2"] - 1e-6 > 0
    trained = load_run(tmp_path / "outputs" / "run").operator
    begun = T1((6, 6), 1, 1, 8, n_layers=2, selection="top_energy", kept_modes=12, rngs=nnx.Rngs(0)).selection
    assert np.asarray(trained.selection.mask()).sum() == 12
    assert not np.array_equal(trained.selection.mask(), begun.mask())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("operator=fno",), "loss: got training.losses.SpectralL2 for operators.FNO"),
        (("operator=t1", "trainer.strides=[2,1]"), "trainer.strides"),
    ],
)
def test_what_it_does_not_go_with_is_refused(tmp_path, more, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path, *more, "loss=l2_spectral")
