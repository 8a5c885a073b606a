"""Stochastic depth: while training, some samples skip the branch of a block."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .arguments import number, refusal


class DropPath(nnx.Module):
    """Factors on the branches of all blocks: x + f_l b_l(x), f_l = 0 with probability p_l, else 1 / (1 - p_l).

    p_l grows linearly from 0 at the first block to `rate` at the last, and the mean of f_l is 1. Every sample draws its
    own. After `eval()` of the network there are no factors.

    What is drawn follows from a key and the number of calls, which are state like the statistics of a batch norm: a
    run that goes on from a checkpoint draws what it would have drawn. Devices among which a batch is divided draw the
    same factors for their first samples, and so on.

    Args:
        rate: p of the last block, from 0 to less than 1.
        depth: number of blocks.
        rngs: random streams.

    Raises:
        ValueError: for another rate.

    Source: Huang et al., Deep Networks with Stochastic Depth, 2016; divided by the probability to stay as in the code
        of AFNO.
    """

    def __init__(self, rate: float, depth: int, *, rngs: nnx.Rngs) -> None:
        if not 0 <= number("drop_path", rate) < 1:
            raise refusal("drop_path", rate, "a probability from 0 to less than 1", "such as 0.1")
        # Of one block, the last is the first.
        self.rates = tuple(np.linspace(0, rate, depth).tolist()) if depth > 1 else (rate,) * depth
        # Flax sets this by name: `network.train()` and `network.eval()`.
        self.deterministic = False
        self.key = nnx.BatchStat(jax.random.key_data(rngs.params()))
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, batch: int) -> Float[Array, "l b"] | None:
        """The factors of one call, a row for every block; None where nothing is dropped.

        Args:
            batch: number of samples.
        """
        if self.deterministic:
            return None
        key = jax.random.fold_in(jax.random.wrap_key_data(self.key[...]), self.calls[...])
        self.calls[...] = self.calls[...] + 1
        stay = 1 - jnp.asarray(self.rates, jnp.float32)[:, None]
        return jax.random.bernoulli(key, stay, (len(self.rates), batch)) / stay
