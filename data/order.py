"""In which order samples are seen: a function of (seed, step) alone, so that a position is one number."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int


def check_batches(samples: int, batch_size: int, devices: int = 1, accumulate: int = 1) -> int:
    """Batches per epoch; what does not fill a last batch sits out that epoch (another part in every epoch).

    Args:
        samples: size of the set.
        batch_size: samples per step, over all devices and micro-batches.
        devices: on the mesh's data axis; all get equally many samples.
        accumulate: micro-batches per step.

    Raises:
        ValueError: for a batch larger than the set, or one that cannot be split so.
    """
    if not 1 <= batch_size <= samples:
        raise ValueError(
            f"batch_size: got {batch_size} for {samples} samples, wanted 1 .. {samples}; "
            "take a smaller batch or more samples"
        )
    portion = devices * accumulate
    if batch_size % portion:
        below, above = batch_size // portion * portion, (batch_size // portion + 1) * portion
        raise ValueError(
            f"batch_size: got {batch_size} for {devices} devices x {accumulate} micro-batches, wanted a multiple of "
            f"{portion}; take {f'{below} or ' if below else ''}{above}, or change mesh.data or trainer.accumulate"
        )
    return samples // batch_size


def epoch_order(seed: int, epoch: int | Int[Array, ""], samples: int) -> Int[Array, "n"]:
    """The permutation of one epoch, int32 [samples]; traceable in `epoch`."""
    key = jax.random.fold_in(jax.random.key(seed), epoch)
    return jax.random.permutation(key, jnp.arange(samples, dtype=jnp.int32), independent=False)


def batch_rows(seed: int, step: int | Int[Array, ""], samples: int, batch_size: int) -> Int[Array, "b"]:
    """The sample indices of one step, int32 [batch]; traceable in `step`."""
    per_epoch = samples // batch_size
    order = epoch_order(seed, step // per_epoch, samples)
    return jax.lax.dynamic_slice_in_dim(order, step % per_epoch * batch_size, batch_size)
