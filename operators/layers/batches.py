"""Any number of leading axes as one."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact


def flatten(
    u: Inexact[Array, "*b_space c"], ndim: int, channels: int, *, complex_data: bool = False
) -> Inexact[Array, "b *space c"]:
    """The input of an operator with one batch axis.

    Raises:
        ValueError: for another number of axes or channels, or real numbers for complex ones and the reverse.
    """
    if u.ndim < ndim + 1 or u.shape[-1] != channels:
        raise ValueError(f"u: got shape {u.shape}, wanted [*batch, {ndim} spatial axes, {channels} channels]")
    if jnp.iscomplexobj(u) != complex_data:
        wanted = "complex" if complex_data else "real"
        raise ValueError(f"u: got {u.dtype}, wanted {wanted} numbers with complex_data={complex_data}")
    return u.reshape(-1, *u.shape[-ndim - 1 :])


def flatten_embedding(embedding: Float[Array, "*b e"] | None, adaptive: bool) -> Float[Array, "*b e"] | None:
    """The embedding of an adaptive norm with one batch axis or none.

    Raises:
        ValueError: for an embedding without such a norm.
    """
    if embedding is None:
        return None
    if not adaptive:
        raise ValueError('embedding: got one, wanted none: it is for norm="ada_in"')
    return embedding if embedding.ndim == 1 else embedding.reshape(-1, embedding.shape[-1])
