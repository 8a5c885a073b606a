"""Spectral-mixture kernels: sums of envelopes times cosines, with their derivatives and power spectra."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from .envelopes import DEGREES, ENVELOPES, envelope_derivatives, highest_order


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SpectralMixture:
    """A stationary covariance along one axis, with a mixture of peaks as its power spectrum.

        k(z) = sum_q w_q gamma(z / l_q) cos(2 pi mu_q z)

    With a Gaussian envelope the spectrum is a mixture of Gaussians, with a Matern envelope of order nu one of
    Student-t densities of 2 nu degrees of freedom. A pytree of its three arrays.

    Args:
        log_weight: log w_q.
        log_scale: of 1 / l_q, 1 / length, for Matern envelopes; of a_q, 1 / length^2, for exp(-a_q z^2).
        frequency: mu_q, cycles per length, of any sign.
        envelope: "gaussian", "matern12", "matern32", "matern52" or "matern72".

    Source:
        Wilson and Adams 2013 (arXiv 1302.4245); Fang et al. 2024 (arXiv 2311.04465), section 3.
    """

    log_weight: Float[Array, "q"]
    log_scale: Float[Array, "q"]
    frequency: Float[Array, "q"]
    envelope: str = dataclasses.field(default="matern52", metadata={"static": True})

    @classmethod
    def of(
        cls, weight: Sequence[float], scale: Sequence[float] | float, frequency: Sequence[float], envelope: str
    ) -> "SpectralMixture":
        """From plain numbers; the scale may be one for all components.

        Raises:
            ValueError: without float64, for an unknown envelope, or numbers that do not match.
        """
        if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError(
                "precision: got float32, wanted float64, without which the covariances are singular; run under "
                "`with jax.enable_x64(True)` or set JAX_ENABLE_X64=1"
            )
        highest_order(envelope)
        weights, frequencies = jnp.asarray(weight, float), jnp.asarray(frequency, float)
        if weights.ndim != 1 or weights.shape != frequencies.shape or not bool(jnp.all(weights > 0)):
            raise ValueError(f"weight, frequency: got {weight}, {frequency}, wanted as many weights > 0 as frequencies")
        return cls(
            jnp.log(weights), jnp.log(jnp.broadcast_to(jnp.asarray(scale, float), weights.shape)), frequencies, envelope
        )

    @property
    def variance(self) -> Float[Array, ""]:
        """k(0)."""
        return jnp.sum(jnp.exp(self.log_weight))

    def derivatives(self, lag: Float[Array, "*n"], orders: int = 0) -> Float[Array, "p *n"]:
        """The kernel and its derivatives 1 .. orders in the signed lag z = x - x', in closed form.

            cov(u^(i)(x), u^(j)(x')) = (-1)^j k^(i+j)(x - x')

        Args:
            lag: z, length.
            orders: highest derivative, at most 4.

        Raises:
            ValueError: for a derivative that the envelope does not have at lag 0.

        Accuracy: round-off.
        """
        envelope = envelope_derivatives(self.envelope, jnp.exp(self.log_scale), lag, orders)
        m = (2 * jnp.pi * self.frequency).reshape((1,) * lag.ndim + self.frequency.shape)
        cosine, sine = jnp.cos(m * lag[..., None]), jnp.sin(m * lag[..., None])
        wave = [m**p * (cosine, -sine, -cosine, sine)[p % 4] for p in range(orders + 1)]
        weight = jnp.exp(self.log_weight)
        return jnp.stack(
            [
                sum(math.comb(p, j) * envelope[p - j] * wave[j] for j in range(p + 1)) @ weight
                for p in range(orders + 1)
            ]
        )  # fmt: skip

    def power_spectral_density(self, frequency: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """S(s) with k(z) = int S(s) exp(2 pi i s z) ds, even in s.

        Args:
            frequency: s, cycles per length.
        """
        scale = jnp.exp(self.log_scale)

        def one_sided(s: jax.Array) -> jax.Array:
            offset = s[..., None] - self.frequency.reshape((1,) * s.ndim + self.frequency.shape)
            weight, width = (a.reshape((1,) * s.ndim + a.shape) for a in (jnp.exp(self.log_weight), scale))
            if self.envelope == "gaussian":  # of variance a / 2 pi^2
                return jnp.sum(weight * jnp.sqrt(jnp.pi / width) * jnp.exp(-((jnp.pi * offset) ** 2) / width), -1)
            degrees, width = DEGREES[self.envelope], width / (2 * jnp.pi)
            constant = jnp.exp(gammaln((degrees + 1) / 2) - gammaln(degrees / 2)) / math.sqrt(degrees * math.pi)
            tail = (1 + (offset / width) ** 2 / degrees) ** (-(degrees + 1) / 2)
            return jnp.sum(weight * constant / width * tail, -1)

        return (one_sided(frequency) + one_sided(-frequency)) / 2


__all__ = ["ENVELOPES", "SpectralMixture"]
