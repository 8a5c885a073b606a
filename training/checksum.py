"""Checksums of arrays that do not depend on how the array is laid out over devices."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint32}


def _device_words(x: jax.Array) -> jax.Array:
    """The bits of a device array as unsigned words in C order; eight-byte numbers become two words."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        x = jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)
    if x.dtype == jnp.bool_:
        return x.astype(jnp.uint8)
    return jax.lax.bitcast_convert_type(x, _WORDS[x.dtype.itemsize])


def _host_words(x: Any) -> np.ndarray:
    """The same words for a NumPy array or a Python number, without a detour over a narrower device type."""
    x = np.ascontiguousarray(x).reshape(-1)
    itemsize = x.dtype.itemsize // 2 if np.iscomplexobj(x) else x.dtype.itemsize
    return x.view(_WORDS[itemsize])


@jax.jit
def _digest(x: jax.Array) -> jax.Array:
    words = _device_words(x)
    index = jnp.zeros(words.shape, jnp.uint32)
    for axis, size in enumerate(words.shape):
        index = index * np.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis)
    # Every line is a bijection of the word at a fixed index, so one changed element always changes the sum.
    h = words.astype(jnp.uint32) ^ (index * np.uint32(0x9E3779B1))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return jnp.sum(h ^ (h >> np.uint32(16)), dtype=jnp.uint32)


def _local(x: Any) -> Any:
    if not isinstance(x, jax.Array):
        return _host_words(x)
    return x.addressable_data(0) if x.is_fully_replicated else x


def checksums(leaves: Mapping[str, Any]) -> dict[str, int]:
    """32-bit checksums of named arrays.

    sum_i mix(bits_i xor i c) mod 2^32, where mix is a bijection of 32-bit words. It is a sum over elements, so
    each device reduces what it holds and one integer per array is exchanged: unlike a CRC it needs no gathered
    copy on the host, and gives the same number on one device, on a mesh and on many processes.

    Args:
        leaves: name -> jax array (any sharding, also over processes), random key, NumPy array or number.

    Returns:
        name -> unsigned integer below 2^32. With several processes every one of them must call this.

    Accuracy:
        A change of one element is always seen, any other change with probability 1 - 2^-32.
    """
    pending = {name: _digest(_local(x)) for name, x in leaves.items()}
    return {name: int(digest) for name, digest in jax.device_get(pending).items()}
