"""Training on coefficients: samples are normalised, transformed and cut once, and compared where they are."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from data.normalizer import Normalizer
from data.source import Samples
from spectral.truncation import Truncation

from .losses import SpectralL2
from .objective import Objective

_BLOCK = 64


@dataclasses.dataclass(frozen=True)
class KSpace:
    """Samples as rows of numbers: of an input its coefficients, of a target those and the energy of the others.

    Args:
        truncation: that of the operator.
        shape: grid of the samples.
        inputs: normaliser of inputs.
        targets: normaliser of targets.
        loss: of coefficients.
        cached: whether the training set comes as rows; otherwise every step makes them of its fields.
    """

    truncation: Truncation
    shape: tuple[int, ...]
    inputs: Normalizer
    targets: Normalizer
    loss: SpectralL2
    cached: bool

    def rows(self, x: Float[Array, "b *space ci"], y: Float[Array, "b *space co"]) -> tuple[Array, Array]:
        """Rows [b, n] of physical samples."""
        zx = self.truncation.forward(self.inputs.encode(x))
        y = self.targets.encode(y)
        zy = self.truncation.forward(y)
        tail = self.truncation.residual_energy(y, zy)
        return zx.reshape(len(zx), -1), jnp.concatenate([zy.reshape(len(zy), -1), tail], axis=1)

    def cache(self, samples: Samples) -> Samples:
        """The samples with rows for fields."""
        rows = jax.jit(self.rows)
        parts = [
            jax.device_get(rows(samples.x[start : start + _BLOCK], samples.y[start : start + _BLOCK]))
            for start in range(0, len(samples), _BLOCK)
        ]
        x, y = (np.concatenate(side) for side in zip(*parts, strict=True))
        return dataclasses.replace(samples, x=x, y=y)

    def call(self, operator: Any, rows: Float[Array, "b n"]) -> Array:
        """Coefficients that an operator predicts from a row of its inputs."""
        return operator.coefficients(self._coefficients(rows), self.shape)

    def objective(self) -> Objective:
        """The loss of a step, of a model that takes rows."""

        def terms(model, x: Array, y: Array) -> dict[str, Array]:
            if not self.cached:
                x, y = self.rows(x, y)
            channels = y.shape[1] // (self._numbers + 1)
            target, tail = y[:, :-channels], y[:, -channels:]
            return {"loss": self.loss(model(x), self._coefficients(target), tail)}

        return Objective(terms, {"loss": 1.0})

    @property
    def _numbers(self) -> int:
        """Real numbers per channel."""
        return math.prod(self.truncation.stored) * self.truncation.parts

    def _coefficients(self, rows: Float[Array, "b n"]) -> Float[Array, "b *k p c"]:
        return rows.reshape(len(rows), *self.truncation.stored, self.truncation.parts, -1)
