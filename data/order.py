"""In which order samples are seen: a function of (seed, step) alone, so that a position is one number."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


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


@functools.lru_cache(maxsize=8)
def epoch_order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The permutation of one epoch, int32 [samples], read-only; drawn once, not at every step."""
    key = jax.random.fold_in(jax.random.key(seed), epoch)
    order = np.array(jax.random.permutation(key, jnp.arange(samples, dtype=jnp.int32), independent=False))
    order.flags.writeable = False
    return order


def batch_rows(seed: int, step: int, samples: int, batch_size: int) -> np.ndarray:
    """The sample indices of one step, int32 [batch]."""
    epoch, part = divmod(step, samples // batch_size)
    return epoch_order(seed, epoch, samples)[part * batch_size : (part + 1) * batch_size]
