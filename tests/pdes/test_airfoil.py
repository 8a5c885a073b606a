"""Profiles of the NACA 4-digit family, and the generator of mean flows past them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import relative
from matplotlib.path import Path

from pdes.generators import AirfoilFlow
from pdes.naca import camber_line, half_thickness, naca_outline, polygon_distance
from pdes.wind_tunnel import solid_fraction

pytestmark = pytest.mark.usefixtures("x64")
TINY = AirfoilFlow((24, 24), far=2.0, transient=0.3, mean=0.2)


def polygon_area(corners) -> float:
    """Of a polygon whose corners go round it counterclockwise."""
    (x, y), (after_x, after_y) = np.transpose(corners), np.roll(corners, -1, axis=0).T
    return float((x * after_y - after_x * y).sum() / 2)


def test_ordinates_are_those_of_the_report():
    """NACA 0012 and the mean line of the 24xx, in per cent of the chord, as tabulated by Abbott and von Doenhoff."""
    x = np.asarray([0.0125, 0.05, 0.3, 0.6, 0.95, 1.0])
    half = 100 * np.asarray(jax.jit(half_thickness)(x, 0.12))
    np.testing.assert_allclose(half, [1.894, 3.555, 6.002, 4.563, 0.807, 0.126], atol=6e-4)
    height, slope = jax.jit(camber_line)(np.asarray([0.2, 0.4, 0.7]), 0.02, 0.4)
    np.testing.assert_allclose(100 * np.asarray(height), [1.5, 2.0, 1.5], atol=1e-12)
    np.testing.assert_allclose(slope, [0.05, 0.0, -1 / 30], atol=1e-12)


def test_area_of_outlines():
    """Of the polynomial, 0.685083 t; at right angles to the mean line, times its length: a third of a per cent more."""
    outline = jax.jit(naca_outline, static_argnums=3)
    assert polygon_area(outline(0.0, 0.4, 0.12, 400)) == pytest.approx(0.685083 * 0.12, rel=1e-4)
    x = (np.arange(4000) + 0.5) / 4000
    thickness, (_, slope) = jax.jit(lambda x: (half_thickness(x, 0.15), camber_line(x, 0.06, 0.4)))(x)
    wanted = (2 * np.asarray(thickness) * np.sqrt(1 + np.square(slope))).mean()
    assert polygon_area(outline(0.06, 0.4, 0.15, 400)) == pytest.approx(wanted, rel=1e-4)
    # What the solver takes: 4 / 60^2 less.
    assert polygon_area(outline(0.0, 0.4, 0.12, 60)) == pytest.approx(0.685083 * 0.12, rel=1.2e-3)


def test_signed_distance():
    corners = np.asarray(jax.jit(lambda: naca_outline(0.05, 0.3, 0.18, 30))())
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.2, -0.3], [1.2, 0.3], (200, 2))
    found = jax.jit(polygon_distance)(corners, *points.T)
    np.testing.assert_array_equal(np.asarray(found) < 0, Path(corners).contains_points(points))
    share = np.linspace(0, 1, 2000)[:, None, None]
    sides = corners + share * (np.roll(corners, -1, axis=0) - corners)
    nearest = [np.hypot(*(sides - p).reshape(-1, 2).T).min() for p in points]
    # The samples of a side are 0.06/2000 apart at most.
    np.testing.assert_allclose(np.abs(found), nearest, atol=2e-5)


def test_masks_have_the_area_of_the_profile():
    h, corners = 1 / 32, jax.jit(lambda: naca_outline(0.04, 0.4, 0.15))()
    x, y = -0.5 + (np.arange(64) + 0.5) * h, -1 + (np.arange(64) + 0.5) * h
    mask = np.asarray(jax.jit(lambda: solid_fraction(lambda x, y: polygon_distance(corners, x, y), x, y, h))())
    assert float(mask.min()) == 0 and float(mask.max()) == 1
    assert float(mask.sum() * h**2) == pytest.approx(polygon_area(corners), rel=5e-3)


@pytest.fixture(scope="module")
def samples():
    """Two samples, the same in the other order, and what was drawn for them."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(3), 2)
        solve = jax.jit(jax.vmap(TINY))
        return solve(keys), solve(keys[::-1]), jax.jit(jax.vmap(TINY.draw))(keys)


def test_samples(samples):
    fields, swapped, drawn = samples
    assert set(fields) == set(TINY.fields) and hash(TINY) == hash(dataclasses.replace(TINY))
    assert all(u.shape == (2, 1, 24, 24) and np.isfinite(u).all() for u in fields.values())
    for name, u in fields.items():  # a sample is a function of its key alone
        np.testing.assert_array_equal(u[0], swapped[name][1])
        assert relative(u[0], u[1]) > 1e-3
    mask, x, y = (fields[name][:, 0] for name in ("mask", "stream_x", "stream_y"))
    speed, angle = (drawn[name][:, None, None] for name in ("speed", "angle"))
    np.testing.assert_allclose(x, speed * jnp.cos(angle) * (1 - mask), atol=1e-14)
    np.testing.assert_allclose(y, speed * jnp.sin(angle) * (1 - mask), atol=1e-14)


def test_flows_pass_the_profile(samples):
    fields, _, drawn = samples
    u, p = fields["velocity_x"][:, 0], fields["pressure"][:, 0]
    for i in range(2):
        speed = float(drawn["speed"][i])
        assert 1.05 * speed < float(u[i].max()) < 2 * speed  # round the profile, faster than the stream
        assert 0.3 * speed**2 < float(p[i].max()) < 0.8 * speed**2  # rho speed^2 / 2 where the stream stops


def test_symmetric_profiles_at_no_angle_have_no_lift():
    """And at opposite angles opposite lift, in mirrored flows."""
    angle = jnp.deg2rad(jnp.asarray([0.0, 15.0, -15.0]))
    speed, camber, position, thickness = (jnp.full(3, q) for q in (0.3, 0.0, 0.4, 0.15))
    fields, force = jax.jit(jax.vmap(TINY.profile_flow))(speed, angle, camber, position, thickness)
    assert abs(float(force[0, 1])) <= 1e-11
    np.testing.assert_allclose(force[1], force[2] * jnp.asarray([1.0, -1.0]), rtol=1e-9)
    assert float(force[1, 1]) > 0.2 and float(force[0, 0]) > 0.05
    for name, sign in (("pressure", 1), ("velocity_x", 1), ("velocity_y", -1), ("mask", 1)):
        u = fields[name][:, 0]
        np.testing.assert_allclose(u[0], sign * u[0][:, ::-1], atol=1e-10)
        np.testing.assert_allclose(u[1], sign * u[2][:, ::-1], atol=1e-10)


def test_resolutions_are_means_over_blocks():
    u = jnp.arange(48.0 * 24).reshape(2, 24, 24)
    np.testing.assert_allclose(TINY.restrict(u, (12, 8))[1, 0, 0], u[1, :2, :3].mean())
    assert all(TINY.resolves(shape) for shape in ((12, 8), (24, 24)))
    assert not any(TINY.resolves(shape) for shape in ((48, 48), (9, 9)))
    assert TINY.solver_shape((9, 9)) == (27, 27)


def test_numbers_that_make_no_sense_are_refused():
    for values, message in (
        ({"shape": (64, 32)}, "shape: got .64, 32., wanted a square window"),
        ({"slowest": 2.0}, "slowest: got 2.0, wanted at most 1"),
        ({"thinnest": 0.3}, "thinnest: got 0.3, wanted at most 0.2"),
        ({"growth": 1.0}, "growth: got 1.0, wanted more than 1"),
        ({"mean": 0.0}, "mean: got 0.0, wanted positive"),
    ):
        with pytest.raises(ValueError, match=message):
            AirfoilFlow(**values)
