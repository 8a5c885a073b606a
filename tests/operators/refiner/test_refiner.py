"""The refiner: what it must reach, fixed points, precision, other equations, output maps, several devices."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refiner_testing import INTERVAL, burgers, cn_rk4, errors, kuramoto_sivashinsky, turbulence, unchecked, wrong

from operators.refiner import LBFGS, REASONS, Adam, Differences, Newton, Refiner, Shooting, Stopping, time_parallel
from pdes.equations import NavierStokes
from pdes.steppers import etdrk4
from spectral.grid import Grid


def small(level=0.4):
    """A resolved flow on 32 x 32 points: equation, prediction, history, truth; ten outputs."""
    equation, fields = turbulence(32, 5e-3, 1)
    history, truth = fields[..., :10], fields[..., 10:]
    return equation, wrong(truth, equation.grid, level), history, truth


@pytest.mark.parametrize(("name", "gain", "precision"), [("differences", 60, "float64"), ("shooting", 300, "float32")])
def test_the_task(x64, name, gain, precision):
    """200 Adam steps from 40 % error: 60 times less by differences of order 6, 300 times by shooting, in float32."""
    equation, prediction, history, truth = small()
    with jax.enable_x64(precision == "float64"):
        residual = Differences(equation, INTERVAL) if name == "differences" else Shooting(equation, INTERVAL, etdrk4, 1)
        refined = Refiner(residual)(prediction.astype(precision), history.astype(precision))
    assert refined.trajectory.dtype == refined.history.dtype == precision
    before, after = errors(prediction, truth), errors(refined.trajectory, truth)
    print(name, before, after, before / after)
    assert before[0] == pytest.approx(0.4) and before[0] > gain * after[0]
    course = np.asarray(refined.history[0])
    assert course[0] == refined.before[0] and np.nanmin(course) == refined.after[0] < 0.01 * refined.before[0]


def test_newton(x64):
    """0.10 -> 5e-3 -> 5e-6 -> 5e-7, and its fixed point is the serial solution."""
    equation, prediction, history, truth = small(0.1)
    residual = Shooting(equation, INTERVAL, etdrk4, 2)
    serial = jnp.moveaxis(
        jax.vmap(equation.to_physical)(
            residual.solve(equation.to_spectral(jnp.asarray(history[0, ..., -1]))[None], 10)
        ),
        0,
        -1,
    )
    newton, found = Refiner(residual, Newton(1), Stopping(patience=0)), []
    for _ in range(4):
        prediction = newton(prediction, history).trajectory
        found.append(float(errors(prediction, np.asarray(serial)[None])[0]))
    print("newton", found, "solver", errors(serial[None], truth))
    assert found[0] <= 5e-3 and found[1] <= 5e-6 and found[2] <= 5e-7
    assert found[3] < 1e-12


def test_no_steps_return_the_prediction(x64):
    _, prediction, history, _ = small()
    # On a coarser grid and in one that the equation's does not divide, too.
    equation = NavierStokes(Grid((24, 20), (2 * np.pi,)), 5e-3)
    refined = Refiner(Differences(equation, INTERVAL, 4), Adam(steps=0))(prediction, history)
    np.testing.assert_array_equal(refined.trajectory, prediction)
    assert refined.steps[0] == 0 and refined.before[0] == refined.after[0] > 0.1
    assert REASONS[int(refined.reason[0])] == "all steps taken"


def test_modes_that_states_have_not_are_not_left_to_the_network(x64):
    """Its vorticity may have a mean, which the equation lets be as it was, and modes at the Nyquist frequency."""
    equation, prediction, history, truth = small(0.1)
    signs = (-1.0) ** np.arange(prediction.shape[1])
    highest = 0.5 * signs[:, None, None] * np.cos(np.arange(prediction.shape[2]))[:, None]
    refined = Refiner(Shooting(equation, INTERVAL, etdrk4, 1), Newton(2))(prediction + 0.5 + highest, history)
    assert errors(refined.trajectory, truth)[0] < 1e-3


def test_white_noise_is_not_left_where_the_equation_holds_no_mode(x64):
    """De-aliasing leaves 10 of 16 frequencies: the others are in no state, so no estimate knows of them; they are
    measured, and zero after a refinement where the equation's grid is that of the fields."""
    equation, prediction, history, truth = small(0.1)
    noise = np.random.default_rng(0).standard_normal(prediction.shape)
    noisy = prediction + 0.05 * noise * np.linalg.norm(truth) / np.linalg.norm(noise)
    refiner = Refiner(Shooting(equation, INTERVAL, etdrk4, 2), Newton(2))
    refined, quiet = (refiner(given, history) for given in (noisy, prediction))
    assert errors(refined.trajectory, truth)[0] < 1e-5 and quiet.unseen[0] < 1e-12
    beyond = noisy[0] - refiner.fields(refiner.states(jnp.asarray(noisy[0])), noisy.shape[1:])
    share = np.linalg.norm(beyond) / np.linalg.norm(noisy)
    assert share > 0.03 and refined.unseen[0] == pytest.approx(share)
    # An equation on a coarser grid says nothing about what is finer, but that it is below the Nyquist frequency.
    coarse = Refiner(Differences(NavierStokes(Grid((24, 32), (2 * np.pi,)), 5e-3), INTERVAL, 2), Adam(2))
    moved = np.fft.fft2(coarse(noisy, history).trajectory - noisy, axes=(1, 2))[0, 13:16, 1:16]
    np.testing.assert_allclose(moved, 0, atol=1e-9)


def test_a_flow_at_rest(x64):
    """Persistence is the solution then, and estimates relative to its residual would be infinite."""
    equation, prediction, history, _ = small(0.1)
    with jax.enable_x64(False):
        given = prediction.astype("float32"), 0 * history.astype("float32")
        refined = Refiner(Differences(equation, INTERVAL), Adam(60))(*given)
    assert np.isfinite(refined.before[0]) and refined.after[0] < 0.3 * refined.before[0]
    assert np.linalg.norm(refined.trajectory) < 0.3 * np.linalg.norm(prediction)


def test_newton_ends_at_round_off(x64):
    equation, prediction, history, _ = small(0.1)
    refined = Refiner(Shooting(equation, INTERVAL, etdrk4, 1), Newton(12))(prediction, history)
    assert refined.steps[0] < 7 and refined.after[0] < 1e-12 and REASONS[int(refined.reason[0])] == "stalled"


def test_what_the_residual_accepts_stays(x64):
    """What is below the floor is returned as it is, and a solver's own trajectory is moved by no more than the floor:
    by differences, that of their truncation; by shooting with the same solver, round-off."""
    equation, prediction, history, truth = small()
    moved = Refiner(Differences(equation, INTERVAL))(truth, history)
    print("moved", errors(moved.trajectory, truth), moved.before, moved.after)
    assert moved.steps[0] > 0 and errors(moved.trajectory, truth)[0] <= moved.before[0] < 1e-4
    shooting = Shooting(equation, INTERVAL, etdrk4, 2)
    newton = Refiner(shooting, Newton(1), Stopping(patience=0))
    own = newton.fields(shooting.solve(newton.states(jnp.asarray(history[0])), 10), truth.shape[1:])[None]
    kept = newton(own, history)
    print("kept", errors(kept.trajectory, np.asarray(own)), kept.before, kept.after)
    assert kept.before[0] < 1e-12 and errors(kept.trajectory, np.asarray(own))[0] < 1e-12
    refiner = Refiner(Differences(equation, INTERVAL), stopping=Stopping(floor=0.02))
    held, refined = refiner(truth, history), refiner(prediction, history)
    assert held.before[0] < 0.02 and REASONS[int(held.reason[0])] == "floor reached"
    np.testing.assert_array_equal(held.trajectory, truth)
    # The way there ends at the floor, before all steps are taken.
    assert refined.steps[0] < 200 and refined.after[0] <= 0.02 and errors(refined.trajectory, truth)[0] < 0.05
    assert np.isnan(np.asarray(refined.history[0])[int(refined.steps[0]) + 1 :]).all()


def test_lbfgs_never_rises(x64):
    """And what it notes at every step, which its line search has measured, is the estimate of where it is."""
    equation, prediction, history, truth = small(0.1)
    refiner = Refiner(Differences(equation, INTERVAL), LBFGS(12))
    refined = refiner(prediction, history)
    course = np.asarray(refined.history[0])
    assert refined.steps[0] == 12 and (np.diff(course) <= 1e-12).all()
    assert refiner.estimate(refined.trajectory, history)[0] == pytest.approx(course[-1], rel=1e-9)
    assert errors(refined.trajectory, truth)[0] < 0.7 * errors(prediction, truth)[0]


@pytest.mark.parametrize(("case", "name"), [(burgers, "differences"), (kuramoto_sivashinsky, "shooting")])
def test_other_equations(x64, case, name):
    """Fronts, and chaos with modes that grow, on one axis: the same refiner."""
    equation, interval, fields = case()
    history, truth = fields[..., :4], fields[..., 4:]
    prediction = wrong(truth, equation.grid, 0.3)
    residual = Differences(equation, interval) if name == "differences" else Shooting(equation, interval, etdrk4, 4)
    refined = Refiner(residual)(prediction, history)
    gain = errors(prediction, truth) / errors(refined.trajectory, truth)
    print(case.__name__, name, gain)
    assert gain[0] > 100
    if name == "differences":
        # No stall ends it while the learning rate is still high: more steps are not worse.
        longer = Refiner(residual, Adam(1000))(prediction, history)
        assert errors(longer.trajectory, truth)[0] <= errors(refined.trajectory, truth)[0]


def test_an_output_map(x64):
    """Parameters of a layer on frozen features, one set per sample: here time polynomials on the last input."""
    equation, interval, fields = burgers()
    history, truth = np.concatenate([fields] * 2)[..., :4], fields[..., 4:]
    traces = []
    powers = ((np.arange(10) + 1) / 10)[None] ** np.arange(1, 7)[:, None]

    def output(coefficients, last):
        traces.append(None)
        return last[:, None] + jnp.sum(coefficients[:, :, None] * powers[None], axis=1)

    refiner = Refiner(Differences(equation, interval), Adam(200, 0.03))
    refined = refiner.refine_output(output, jnp.zeros((64, 6)), jnp.asarray(history[..., -1]), jnp.asarray(history))
    held = np.broadcast_to(history[:1, :, -1:], truth.shape)
    compiled = len(traces)
    again = refiner.refine_output(output, jnp.ones((64, 6)), jnp.asarray(history[..., -1]), jnp.asarray(history))
    # Its shape is looked at, and nothing is compiled.
    assert len(traces) == compiled + 1 and np.isfinite(again.after).all()
    assert refined.parameters.shape == (2, 64, 6) and refined.before[0] == pytest.approx(1)
    np.testing.assert_allclose(refined.trajectory[0], refined.trajectory[1], atol=1e-12)
    assert errors(refined.trajectory[:1], truth)[0] < 0.1 * errors(held, truth)[0]
    for shown, past in ((jnp.zeros((64, 6)), history[0]), (jnp.zeros((32, 6)), history)):
        with pytest.raises(ValueError, match=r"output, history: got shapes .*; of one sample, add an axis"):
            refiner.refine_output(lambda a, b: a, shown, jnp.zeros((2, 64)), jnp.asarray(past))
    with pytest.raises(ValueError, match="optimizer: got Newton for an output map"):
        newton = Refiner(Shooting(equation, interval, etdrk4), Newton())
        newton.refine_output(output, jnp.zeros((64, 6)), jnp.zeros((2, 64)), jnp.asarray(history))


def test_an_output_map_is_not_asked_for_modes_that_states_have_not(x64):
    """Of outputs that are white noise: what no state holds is that of a solver, the rest that of the parameters."""
    equation, interval, fields = burgers()
    history, noise = fields[..., :4], np.random.default_rng(0).standard_normal(fields[..., 4:].shape)

    def output(size, latent):
        return size * latent

    def unseen(snapshots):
        states = refiner.states(jnp.asarray(snapshots))
        return states, np.linalg.norm(snapshots - refiner.fields(states, snapshots.shape))

    refiner = Refiner(Differences(equation, interval, 2), Adam(2))
    refined = refiner.refine_output(output, jnp.ones(()), noise, history)
    mapped = np.asarray(refined.parameters[0] * noise[0])
    (states, much), (kept, nothing) = unseen(mapped), unseen(refined.trajectory[0])
    assert much > 0.3 * np.linalg.norm(mapped) and nothing < 1e-12
    np.testing.assert_allclose(kept, states, atol=1e-12)
    # The estimate is that of the fields that come back; no step leaves the outputs as they are.
    np.testing.assert_allclose(refiner.estimate(refined.trajectory, history), refined.after)
    still = dataclasses.replace(refiner, optimizer=Adam(0)).refine_output(output, jnp.ones(()), noise, history)
    np.testing.assert_array_equal(still.trajectory, noise)


def time_mesh():
    return jax.make_mesh((8,), ("time",), axis_types=(jax.sharding.AxisType.Auto,))


@pytest.mark.timeout(120)
def test_a_residual_over_devices_exchanges_one_state(x64):
    """One output per device, one collective-permute, the same numbers."""
    equation, interval, fields = burgers()
    states = jax.vmap(equation.to_spectral)(jnp.asarray(fields[0].T))
    history, window = states[:4], states[4:12]
    over_time = jax.sharding.PartitionSpec("time")
    spread = jax.shard_map(
        Shooting(equation, interval, cn_rk4, 1, axis="time"),
        mesh=time_mesh(), in_specs=(over_time, jax.sharding.PartitionSpec()), out_specs=over_time,
    )  # fmt: skip
    program = jax.jit(spread).lower(window, history).compile()
    text = program.as_text()
    assert text.count(" collective-permute(") + text.count(" collective-permute-start(") == 1
    assert not any(f" {name}" in text for name in ("all-gather(", "all-reduce(", "all-to-all("))
    np.testing.assert_allclose(
        program(window, history), Shooting(equation, interval, cn_rk4, 1)(window, history), atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_refinement_over_devices_is_that_of_one(x64):
    equation, interval, fields = burgers()
    history, prediction = fields[..., :4], wrong(fields[..., 4:], equation.grid, 0.3)[..., :8]
    refiner = Refiner(Shooting(equation, interval, cn_rk4, 1), Adam(30), Stopping(patience=0))
    spread = jax.jit(time_parallel(refiner, time_mesh()))
    together, apart = refiner(prediction, history), spread(prediction, history)
    # Sums in another order.
    np.testing.assert_allclose(apart.trajectory, together.trajectory, atol=1e-9)
    np.testing.assert_allclose(apart.history, together.history, rtol=1e-8)


def test_what_is_refused(x64):
    equation, prediction, history, _ = small()
    residual = Differences(equation, INTERVAL)
    with pytest.raises(ValueError, match="optimizer: got Newton for Differences, wanted it with Shooting"):
        Refiner(residual, Newton())
    with pytest.raises(ValueError, match=r"prediction, history: got shapes .*, wanted \[b, \*space, c\] with 2 axes"):
        Refiner(residual)(prediction[0], history[0])
    calls: dict[str, tuple[Any, Any]] = {
        "prediction, history: got float64 and float32, wanted .*; cast": (prediction, history.astype(np.float32)),
        "prediction, history: got int64 and int64": (prediction.astype(int), history.astype(int)),
        "prediction, history: got list and list, wanted arrays .*; numpy.asarray": ([[1.0]], [[1.0]]),
    }
    for match, given in calls.items():
        with unchecked(), pytest.raises(ValueError, match=match):
            Refiner(residual)(*given)
    table: list[tuple[Any, dict[str, Any], str]] = [
        (Stopping, {"floor": -1}, "floor: got -1, wanted a finite number of at least 0;"),
        (Stopping, {"floor": np.inf}, "floor: got inf"),
        (Stopping, {"fall": 1}, "fall: got 1, wanted a share of 0 to below 1;"),
        (Stopping, {"patience": 1.5}, "patience: got 1.5, wanted a whole number of at least 0;"),
        (Adam, {"steps": -1}, "steps: got -1"),
        (Adam, {"steps": 1.5}, "steps: got 1.5"),
        (Adam, {"learning_rate": -1}, "learning_rate: got -1, wanted .* above 0 and finite; such as"),
        (Adam, {"b1": 2.0}, "b1: got 2.0, wanted a number of 0 to below 1;"),
        (LBFGS, {"memory": 0}, "memory: got 0, wanted a whole number of at least 1;"),
        (Newton, {"steps": 2.5}, "steps: got 2.5"),
        (Refiner, {"residual": None}, "residual: got None, wanted a residual; such as Differences"),
        (Refiner, {"residual": Differences}, "residual: got <class"),
        (Refiner, {"residual": residual, "optimizer": "adam"}, "optimizer: got 'adam', wanted an Adam, .*; such as"),
        (Refiner, {"residual": residual, "optimizer": Adam}, "optimizer: got <class"),
        (Refiner, {"residual": residual, "stopping": Stopping}, "stopping: got <class .*, wanted a Stopping; such"),
        (Refiner, {"residual": residual, "order": "L2"}, "order: got 'L2'"),
    ]
    for make, options, match in table:
        with unchecked(), pytest.raises(ValueError, match=match):
            make(**options)
    with pytest.raises(ValueError, match="residual: got Differences, wanted Shooting"):
        time_parallel(Refiner(residual), time_mesh())
    with pytest.raises(ValueError, match="optimizer: got LBFGS over mesh axis 'time', wanted Adam"):
        Refiner(Shooting(equation, INTERVAL, cn_rk4), LBFGS(), axis="time")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_task_at_full_size(x64, precision):
    """64 x 64 points, viscosity 1e-3, three samples: 60 and 300 times less, 2e-3 in float32."""
    equation, fields = turbulence(64, 1e-3, 3)
    history, truth = fields[..., :10], fields[..., 10:]
    prediction = wrong(truth, equation.grid, 0.4)
    with jax.enable_x64(precision == "float64"):
        for residual, gain in ((Differences(equation, INTERVAL), 60), (Shooting(equation, INTERVAL, cn_rk4, 2), 300)):
            refined = Refiner(residual)(prediction.astype(precision), history.astype(precision))
            after = errors(refined.trajectory, truth)
            print(precision, type(residual).__name__, after, 0.4 / after)
            if precision == "float64":
                assert (gain * after < 0.4).all()
            elif isinstance(residual, Shooting):
                assert (after <= 2e-3).all()


@pytest.mark.slow
def test_newton_at_full_size(x64):
    """A resolved flow, viscosity 5e-3: 0.10 -> <= 5e-3 -> <= 5e-6 -> <= 5e-7 of the truth itself."""
    equation, fields = turbulence(64, 5e-3, 2)
    history, truth = fields[..., :10], fields[..., 10:]
    prediction = wrong(truth, equation.grid, 0.1)
    for steps, bound in ((1, 5e-3), (2, 5e-6), (3, 5e-7)):
        refined = Refiner(Shooting(equation, INTERVAL, etdrk4, 5), Newton(steps))(prediction, history)
        after = errors(refined.trajectory, truth)
        print("newton", steps, after)
        assert (after <= bound).all()
