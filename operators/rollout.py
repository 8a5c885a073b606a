"""An operator from frames to the next frame, applied to its own output."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from spectral.truncation import Truncation

from .base import Operator
from .layers.arguments import points, random_streams, refusal, whole
from .layers.batches import flatten
from .layers.inner import make_inner
from .layers.resample import resample


class Rollout(Operator):
    """Past frames -> the next frames, one after the other by the same operator f of the last frames.

    order 0: x_{t+1} = f,    order 1: x_{t+1} = x_t + f,    order 2: x_{t+1} = 2 x_t - x_{t-1} + f

    Where f has coefficients (`SpectralOperator`), all of this happens to them: one transform of the first frames, and
    one inverse for every frame that is asked for. Then what the first frames have beyond the kept modes is left out.
    Gradients of a loss of all frames go through all steps.

    Channels are `fields` times frames, the frames of the first field first, the latest last, as data sets have them.
    Frames that were normalised differently do not continue each other: set data.normalize_inputs and
    data.normalize_targets to `field`, one unit for all times of a field, or to null. The parameters are those of f
    however far it looks, so with targets of one time f is trained on single steps, with those of two on its own output.

    Args:
        in_channels: fields times frames that f sees.
        out_channels: fields times frames to be predicted.
        step: makes f: called with `in_channels`, `out_channels` (the fields) and `rngs`.
        order: as above.
        fields: of one frame; None for every channel of the input, one frame.
        rngs: random streams.

    Raises:
        ValueError: for channels that are no whole number of frames, fewer frames than the order wants, or a step that
            makes no operator.

    Source: the video experiment of Poli et al., "Transform Once", 2022, there in physical space; with order 0 and one
        frame the forecasts of Pathak et al., FourCastNet, 2022, fine-tuned on two steps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        step: Callable[..., Operator],
        order: int = 0,
        fields: int | None = 1,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.fields = self.in_channels if fields is None else whole("fields", fields)
        self.order = whole("order", order, least=0)
        if self.order > 2:
            raise refusal("order", order, "0, 1 or 2", "choose one of them")
        if self.in_channels % self.fields or self.out_channels % self.fields:
            wanted = f"a divisor of {in_channels} and {out_channels} channels"
            raise refusal("fields", self.fields, wanted, "change it, or the fields and times of the data")
        if self.in_channels // self.fields < self.order:
            raise refusal(
                "order", order, f"at most the {self.in_channels // self.fields} frames given", "lower it, or give more"
            )
        arguments = {"in_channels": self.in_channels, "out_channels": self.fields, "rngs": random_streams(rngs)}
        self.step: Any = make_inner("step", step, **arguments)
        self.ndim = self.step.ndim

    @property
    def truncation(self) -> Truncation | None:
        """That of the step, or None where it has none."""
        return getattr(self.step, "truncation", None)

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None, steps: int | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`.

        Args:
            u: frames [*b, *space, in_channels].
            output_shape: grid of the output, by default that of the input.
            steps: frames to predict, by default those of `out_channels`.
        """
        x = flatten(u, self.ndim, self.in_channels)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        target = shape if output_shape is None else points("output_shape", output_shape, self.ndim)
        if self.truncation is not None:
            z = self.coefficients(self.truncation.forward(x), shape, steps)
            v = self.truncation.inverse(z, target, of=shape)
        else:
            v = resample(self._run(self.step, x, steps), target)
        return v.reshape(*batch, *v.shape[1:])

    def coefficients(
        self, z: Float[Array, "b *k p ci"], shape: tuple[int, ...], steps: int | None = None
    ) -> Float[Array, "b *k p co"]:
        """The same on coefficients, see `SpectralOperator.coefficients`."""
        return self._run(lambda z: self.step.coefficients(z, shape), z, steps)

    def project(self, v: Float[Array, "*b_space c"]) -> Float[Array, "*b_space c"]:
        """See `SpectralOperator.project`; of order 1 and 2 the frames given bring every stored mode along."""
        if self.order and self.truncation is not None:
            return self.truncation.inverse(self.truncation.forward(v), v.shape[-1 - self.ndim : -1])
        return self.step.project(v)

    def measure(self, x: Float[Array, "b *space ci"], y: Float[Array, "b *space co"]) -> Any:
        """See `SpectralOperator.measure`; nothing where the step has none."""
        return self.step.measure(x, y) if self.truncation is not None else None

    def adapt(self, energies: Any) -> None:
        """See `SpectralOperator.adapt`."""
        if self.truncation is not None:
            self.step.adapt(energies)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`."""
        return self.step.mode_grids(shape)

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """See `Operator.check_grid`."""
        self.step.check_grid(shape)

    def _run(self, step: Callable[[Array], Array], u: Array, steps: int | None) -> Array:
        frames = u.reshape(*u.shape[:-1], self.fields, -1)
        new = []
        for _ in range(self.out_channels // self.fields if steps is None else whole("steps", steps)):
            following = step(frames.reshape(u.shape))
            if self.order == 1:
                following += frames[..., -1]
            elif self.order == 2:
                following += 2 * frames[..., -1] - frames[..., -2]
            frames = jnp.concatenate([frames[..., 1:], following[..., None]], axis=-1)
            new.append(following)
        return jnp.stack(new, axis=-1).reshape(*u.shape[:-1], -1)
