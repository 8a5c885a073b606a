"""What operators have in common that take coefficients to coefficients."""

import abc
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.truncation import Truncation

from .base import Operator
from .layers.arguments import points, refusal
from .layers.batches import flatten
from .layers.selection import Selection


class Energies(NamedTuple):
    """Mean energies of training samples, see `SpectralOperator.measure`.

    Args:
        targets: of every stored mode of the targets, relative to all of their energy.
        inputs: of every stored mode of the inputs, the same.
    """

    targets: Float[Array, "*k"]
    inputs: Float[Array, "*k"]


class SpectralOperator(Operator):
    """v = T^-1 F(T u): one transform, a network on the coefficients, and its inverse.

    The coefficients themselves are `operator.truncation.forward(u)`, what the network makes of them
    `operator.coefficients(z, shape)`, and its field `operator.truncation.inverse(z, shape)`. A loss that compares
    coefficients needs no transform of the prediction, and may keep those of the data.

    Attributes:
        truncation: T, cut to the stored modes; an isometry.
        selection: those of the stored modes that the output has.
    """

    truncation: Truncation
    selection: Selection

    @abc.abstractmethod
    def coefficients(self, z: Float[Array, "b *k p ci"], shape: tuple[int, ...]) -> Float[Array, "b *k p co"]:
        """F: from the coefficients of inputs to those of outputs.

        Args:
            z: coefficients [b, *stored, parts, in_channels].
            shape: grid that they belong to.

        Returns:
            Coefficients [b, *stored, parts, out_channels]; zero where `selection` or `truncation` has nothing.
        """

    @property
    def n_modes(self) -> tuple[int, ...]:
        """Modes per axis, as `truncation` counts them."""
        return self.truncation.n_modes

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`."""
        x = flatten(u, self.ndim, self.in_channels)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        target = shape if output_shape is None else points("output_shape", output_shape, self.ndim)
        z = self.coefficients(self.truncation.forward(x), shape)
        v = self.truncation.inverse(z, target, of=shape)
        return v.reshape(*batch, *v.shape[1:])

    def project(self, v: Float[Array, "*b_space c"]) -> Float[Array, "*b_space c"]:
        """The part of fields that an output can be: what is left is the error no training removes."""
        mask = self.selection.mask()
        z = self.truncation.forward(v)
        z = z * mask.reshape(*[1] * (z.ndim - 2 - mask.ndim), *mask.shape, 1, 1)
        return self.truncation.inverse(z, v.shape[-1 - self.ndim : -1])

    def measure(self, x: Float[Array, "b *space ci"], y: Float[Array, "b *space co"]) -> Energies:
        """What `adapt` wants to know of training samples; needs no parameters, so also on an abstract operator."""
        axes = (0, *range(1 + self.ndim, 3 + self.ndim))
        zx, zy = self.truncation.forward(x), self.truncation.forward(y)
        per_point = self.truncation.scale(x.shape[1:-1]) ** 2 / x[0, ..., 0].size
        return Energies(
            jnp.sum(zy**2, axes) / (jnp.sum(y**2) * per_point), jnp.sum(zx**2, axes) / (jnp.sum(x**2) * per_point)
        )

    def adapt(self, energies: Energies) -> None:
        """Take from the training samples what is chosen by them, before training."""
        self.selection.fit(energies.targets)

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to *train* on a grid with fewer modes than are stored.

        Raises:
            ValueError: see `layers.modes.check_modes`; for the cosine basis, more modes than points.
        """
        if self.truncation.basis == "fourier":
            return super().check_grid(shape)
        shape = points("shape", shape, self.ndim)
        if any(n > size for n, size in zip(self.n_modes, shape, strict=True)):
            allowed = tuple(map(min, self.n_modes, shape))
            fix = f"use at most n_modes={allowed}, or a finer grid"
            raise refusal("n_modes", self.n_modes, f"at most one mode for each point of a grid of shape {shape}", fix)
