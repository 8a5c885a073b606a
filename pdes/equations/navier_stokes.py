"""Two-dimensional incompressible Navier-Stokes in vorticity form on a periodic rectangle."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import gradient, symbol, velocity_from_vorticity
from spectral.filters import two_thirds_mask
from spectral.grid import Grid
from spectral.transforms import fftn, ifftn, irfftn, rfftn

from .. import diagnostics
from .base import Equation

AXES = (0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class NavierStokes(Equation):
    """Vorticity transport with viscosity, linear drag and a given vorticity forcing.

        w_t + u . grad w = nu Lap w - mu w + f,    u = (d_y psi, -d_x psi),    -Lap psi = w,    w = d_x u_y - d_y u_x

    Linear symbol: -nu |k|^2 - mu (drag is part of it). Vorticity, forcing and their spectra are mean-free: the
    vorticity of a periodic velocity has no mean, so that of `forcing` is dropped.

    Products are free of aliases: only |m| < N/3 is kept on every axis, before and after (`two_thirds_mask`). What
    is left of the convective term is then the same function in any form, and is taken from z = u_x + i u_y by

        (u . grad w)^(k) = -h(k) - conj h(-k),    h(k) = -(i/4) (k_x - i k_y)^2 (z^2)^(k),

    two complex transforms in place of the usual five real ones.

    Args:
        grid: two axes, any sizes and side lengths.
        viscosity: nu, length^2 / time.
        drag: mu, 1 / time.
        forcing: f on the points of the grid, 1 / time^2; NumPy, JAX or traced. Transformed once, in the precision
            in force when the equation is built.
        dealias: False evaluates u . grad w on the grid as it is and keeps its aliases. They create enstrophy; it is
            the negative control of the tests.

    Raises:
        ValueError: for a grid that is not two-dimensional, a forcing of another shape, negative coefficients.

    Accuracy:
        Spectral in space: errors fall faster than any power of 1/N once the flow is resolved, see
        `diagnostics.resolution_tail`. Without viscosity and forcing energy and enstrophy are conserved to round-off.

    Source:
        Two-thirds rule: Orszag 1971 (J. Atmos. Sci. 28). The four products of a quadratic term in two: Basdevant 1983
        (J. Comput. Phys. 50), here as the real and imaginary part of one complex square.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"vorticity": ("1/time", "vorticity d_x u_y - d_y u_x")}
    degree: ClassVar[int] = 2

    grid: Grid
    viscosity: float
    drag: float = 0.0
    forcing: Float[Array, "x y"] | np.ndarray | None = None
    dealias: bool = True
    forcing_hat: Complex[Array, "kx ky"] | None = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.grid.ndim != 2:
            raise ValueError(f"grid: got {self.grid.ndim} axes, wanted 2")
        if self.viscosity < 0 or self.drag < 0:
            raise ValueError(f"viscosity, drag: got {self.viscosity}, {self.drag}, wanted numbers >= 0")
        if self.forcing is not None and tuple(self.forcing.shape) != self.grid.shape:
            raise ValueError(
                f"forcing: got shape {self.forcing.shape}, wanted the values on the grid, {self.grid.shape}; "
                "resample it with spectral.filters.resize"
            )
        forcing_hat = None if self.forcing is None else self.to_spectral(jnp.asarray(self.forcing))
        object.__setattr__(self, "forcing_hat", forcing_hat)

    @functools.cached_property
    def mask(self) -> np.ndarray:
        """The modes a state may hold: the de-aliased ones, without the mean."""
        mask = two_thirds_mask(self.grid) if self.dealias else np.ones(self.grid.spectrum_shape, bool)
        return mask & (self.grid.wavenumber_squared > 0)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-nu |k|^2 - mu, 1 / time."""
        return -self.viscosity * self.grid.wavenumber_squared - self.drag

    def nonlinear(self, u_hat: Complex[Array, "kx ky"]) -> Complex[Array, "kx ky"]:
        """-(u . grad w)^ + f_hat of a vorticity spectrum."""
        transport = self._squared_velocity(u_hat) if self.dealias else self._convective_form(u_hat)
        if self.forcing_hat is None:
            return transport
        if self.forcing_hat.dtype != u_hat.dtype:
            raise ValueError(
                f"forcing: got it in {self.forcing_hat.dtype} for a state in {u_hat.dtype}; "
                "build the equation in the precision that it runs in (inside jax.enable_x64)"
            )
        return transport + self.forcing_hat

    def to_spectral(self, u: Float[Array, "x y"]) -> Complex[Array, "kx ky"]:
        """Vorticity on the grid -> masked, mean-free spectrum."""
        return rfftn(u, AXES) * self.mask

    def to_physical(self, u_hat: Complex[Array, "kx ky"]) -> Float[Array, "x y"]:
        """Vorticity spectrum -> vorticity on the grid, 1 / time."""
        return irfftn(u_hat, self.grid.shape, AXES)

    def invariants(self, u_hat: Complex[Array, "kx ky"]) -> dict[str, Float[Array, ""]]:
        """Energy and enstrophy per unit area."""
        return {
            "energy": diagnostics.energy(u_hat, self.grid),
            "enstrophy": diagnostics.enstrophy(u_hat, self.grid),
        }

    @functools.cached_property
    def _symbols(self) -> tuple[np.ndarray, np.ndarray]:
        """w_hat -> (u_x + i u_y)^ and z^2 -> h, for both signs of the kept frequencies in ascending order."""
        cut = self._cutoff
        kx, ky = (
            2 * np.pi / length * np.arange(-m, m + 1).reshape(shape)
            for m, length, shape in zip(cut, self.grid.extent, ((-1, 1), (1, -1)), strict=True)
        )
        squared = kx**2 + ky**2
        velocity = (kx + 1j * ky) / np.where(squared > 0, squared, np.inf)
        return velocity, -0.25j * (kx - 1j * ky) ** 2

    @property
    def _cutoff(self) -> tuple[int, int]:
        """Highest kept frequency of each axis."""
        nx, ny = self.grid.shape
        return (nx - 1) // 3, (ny - 1) // 3

    def _squared_velocity(self, u_hat: jax.Array) -> jax.Array:
        # A frequency f is stored at index f + m instead of f mod N. That multiplies z by exp(i m x) and z^2 by
        # exp(2 i m x), so the kept frequencies of z^2 lie at m .. 3m, and 3m < N: no reordering and no wrapping.
        (nx, ny), (mx, my) = self.grid.shape, self._cutoff
        velocity, product = (symbol(s, u_hat) for s in self._symbols)

        kept = jnp.concatenate([u_hat[nx - mx :, : my + 1], u_hat[: mx + 1, : my + 1]])
        mirrored = jnp.conj(kept[::-1, :0:-1])
        z_hat = jnp.concatenate([velocity[:, :my] * mirrored, velocity[:, my:] * kept], axis=1)
        z = ifftn(jnp.pad(z_hat, ((0, nx - 2 * mx - 1), (0, ny - 2 * my - 1))), AXES)

        h = product * fftn(z * z, AXES)[mx : 3 * mx + 1, my : 3 * my + 1]
        kept = h[:, my:] + jnp.conj(h[::-1, my::-1])
        rows = jnp.concatenate([kept[mx:], jnp.zeros((nx - 2 * mx - 1, my + 1), kept.dtype), kept[:mx]])
        return jnp.pad(rows, ((0, 0), (0, ny // 2 - my)))

    def _convective_form(self, u_hat: jax.Array) -> jax.Array:
        spectra = jnp.stack([*velocity_from_vorticity(u_hat, self.grid), *gradient(u_hat, self.grid)])
        ux, uy, wx, wy = irfftn(spectra, self.grid.shape, (1, 2))
        return -rfftn(ux * wx + uy * wy, AXES) * self.mask
