"""Any number of leading axes as one."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact


def flatten(
    u: Inexact[Array, "*b_space c"], ndim: int, channels: int, *, complex_data: bool = False
) -> Inexact[Array, "b *space c"]:
    """The input of an operator with one batch axis.

    Raises:
        ValueError: for another number of axes or channels, real numbers for complex ones and the reverse, integers,
            and what is no array.
    """
    if not hasattr(u, "dtype"):
        raise ValueError(f"u: got a {type(u).__name__}, wanted an array; use jnp.asarray(u, jnp.float32)")
    # In whole numbers the coordinates that are appended would all be zero.
    if not jnp.issubdtype(u.dtype, jnp.inexact):
        kind = "complex64" if complex_data else "float32"
        raise ValueError(f"u: got {u.dtype}, wanted floating-point numbers; use u.astype(jnp.{kind})")
    if u.ndim < ndim + 1 or u.shape[-1] != channels:
        raise ValueError(
            f"u: got shape {u.shape}, wanted [*batch, {ndim} spatial axes, {channels} channels]; "
            "channels are the last axis"
        )
    if jnp.iscomplexobj(u) != complex_data:
        wanted = "complex" if complex_data else "real"
        raise ValueError(
            f"u: got {u.dtype}, wanted {wanted} numbers with complex_data={complex_data}; set it to "
            f"{not complex_data}, or convert u"
        )
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
