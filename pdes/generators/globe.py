"""Vorticity of a layer of air around a rotating planet, on a grid of latitudes and longitudes."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from ..barotropic_vorticity import BarotropicVorticity
from ..spherical_harmonics import SphericalHarmonics
from ..steppers import etdrk4, rollout
from .base import FieldInfo, Generator
from .checks import check_not_negative, check_positive, check_shape, check_whole


@dataclasses.dataclass(frozen=True)
class GlobalVorticity(Generator):
    """The barotropic vorticity equation on the unit sphere that turns once a day: the state now -> later states.

        z_t + J(psi, z + 2 Omega mu) = -nu (-Lap)^4 z,    Lap psi = z,    Omega = 2 pi / day
        J(a, b) = a_lambda b_mu - a_mu b_lambda,    mu = sin(latitude)

    from random vortices with a mean square velocity of `speed`^2. The rotation makes Rossby waves and jets of them.
    Points are the centres of cells of colatitude (axis 0, from the north pole) and longitude (axis 1). With n_inputs
    states at the start as inputs, the others are targets.

    Args:
        shape: latitudes and longitudes of what is stored.
        degree: T of the triangular truncation.
        peak: degree at which the start's spectrum peaks.
        speed: root of the mean square of the start's velocity, radii a day (0.2 are 15 m/s on Earth).
        damping: of the highest degree, 1 / day: nu (T (T + 1))^4.
        interval: between two states, days.
        n_snapshots: states, the start included.
        n_inputs: of them that are inputs.
        steps_per_day: time steps of a day.

    Raises:
        ValueError: for numbers out of range, or cells too few for the truncation.

    Accuracy:
        In a step the highest mode is carried by a third of its length at most: a faster sample is turned into no
        numbers, at which generation stops and names it. Products are free of aliases; fourth order in time. Opposite
        sides of the grid are not one.

    Source: Vallis 2017 (Atmospheric and Oceanic Fluid Dynamics), chapter 12, whose damping is another.
    """

    name: ClassVar[str] = "global_vorticity"
    grid_type: ClassVar[str] = "cell"
    remedy: ClassVar[str] = "raise pde.steps_per_day"

    shape: tuple[int, int] = (64, 128)
    degree: int = 42
    peak: float = 6.0
    speed: float = 0.2
    damping: float = 4.0
    interval: float = 0.5
    n_snapshots: int = 11
    n_inputs: int = 1
    steps_per_day: int = 48

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        check_whole(self, "degree", "n_snapshots", "n_inputs", "steps_per_day")
        check_positive(self, "peak", "speed", "interval")
        check_not_negative(self, "damping")
        if self.n_inputs >= self.n_snapshots:
            raise ValueError(f"n_inputs: got {self.n_inputs} of {self.n_snapshots} states, wanted fewer")
        if self.shape[0] <= self.degree or self.shape[1] <= 2 * self.degree:
            wanted = f"more than {self.degree} latitudes and {2 * self.degree} longitudes for degree={self.degree}"
            raise ValueError(f"shape: got {self.shape}, wanted {wanted}; lower degree or take more cells")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (math.pi, 2 * math.pi))

    @property
    def fields(self) -> dict[str, FieldInfo]:
        times = tuple(i * self.interval for i in range(self.n_snapshots))
        return {"vorticity": FieldInfo(times, "1/day", "vertical vorticity relative to the planet")}

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return {"vorticity": tuple(range(self.n_inputs))}

    @property
    def targets(self) -> dict[str, tuple[int, ...]]:
        return {"vorticity": tuple(range(self.n_inputs, self.n_snapshots))}

    def parameters(self) -> dict[str, float | str]:
        return {
            "rotation": "2 pi a day",
            "truncation": f"triangular, degree {self.degree}",
            "damping": f"{self.damping:g} / day at the highest degree, by the fourth power of the Laplacian",
            "start": f"spectrum with its peak at degree {self.peak:g}, mean |u|^2 = {self.speed:g}^2",
            "scheme": f"ETDRK4, {self.steps_per_day} steps a day",
        }

    @property
    def storable(self) -> str:
        return f"{self.shape}: one resolution, and another with another `shape` of the generator"

    def resolves(self, shape: tuple[int, ...]) -> bool:
        return tuple(shape) == tuple(self.shape)

    def solver_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(shape)

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """The states as they are: `resolves` lets nothing else pass."""
        del shape
        return u

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """The vorticity, [n_snapshots, latitude, longitude]."""
        equation = BarotropicVorticity(self.degree, self.damping)
        states = self.evolve(equation, self.start(key))
        fastest = jnp.max(jax.vmap(equation.speed)(states))
        # As held as flows on the torus are: there the highest mode turns by 2 pi / 3 in a step that crosses a cell.
        held = fastest * self.degree / self.steps_per_day <= 2 * math.pi / 3
        states = jnp.where(held, states, jnp.nan)
        return {"vorticity": jax.vmap(lambda c: equation.harmonics.to_latitudes(c, self.shape))(states)}

    def evolve(self, equation: BarotropicVorticity, start: Complex[Array, "m l"]) -> Complex[Array, "t m l"]:
        """Coefficients of all states."""
        inner = max(1, math.ceil(self.steps_per_day * self.interval))
        step = etdrk4(equation, self.interval / inner)
        return jnp.concatenate([start[None], rollout(step, start, self.n_snapshots - 1, inner)])

    def advance(self, u: Float[Array, "field y x"], duration: float) -> Float[Array, "field y x"]:
        """The vorticity [1, latitude, longitude] a duration later."""
        equation = BarotropicVorticity(self.degree, self.damping)
        steps = max(1, math.ceil(self.steps_per_day * duration - 1e-6))
        start = equation.harmonics.from_latitudes(u[0])
        end = rollout(etdrk4(equation, duration / steps), start, 1, steps, remat=False)[0]
        return equation.harmonics.to_latitudes(end, self.shape)[None]

    def start(self, key: jax.Array) -> Complex[Array, "m l"]:
        """Coefficients of random vortices of the speed wanted."""
        t = self.degree + 1
        noise = jax.random.normal(key, (2 * t * t,)).reshape(2, t, t)
        degrees = np.arange(t)
        spectrum = degrees * (degrees / self.peak) * np.exp(-((degrees / self.peak) ** 2) / 2)
        harmonics = SphericalHarmonics(self.degree)
        # Real for m = 0.
        im = np.where(degrees[:, None] > 0, 1.0, 0.0)
        c = jax.lax.complex(noise[0], noise[1] * im) * (harmonics.inside * spectrum[None])
        # Twice the kinetic energy is the mean square of the velocity.
        energy = 2 * BarotropicVorticity(self.degree).invariants(c)["energy"]
        return c * (self.speed / jnp.sqrt(energy))
