"""Multi-grid patches of a periodic field: every patch with its surroundings at coarser and coarser levels.

On every axis a grid of H points is cut into n = 2^L patches of h = H/n. Level l of patch i is a window of the field
taken at every 2^l-th point, with as many points as the patch and p more at both ends, around the same centre:

    row a of the window is point  (a + i h/2^l - ceil((h - h/2^l)/2) - p)  mod  H/2^l  of that level,  a < h + 2p

So level l sees 2^l times the extent of the patch, and level L the whole domain. The axes are independent.

The functions also run inside `jax.shard_map` on the part of the field that one device holds: a window then takes what
it needs from the neighbours by collective-permute, and one device is the ring of length one.

Source: Kossaifi et al., Multi-Grid Tensorized Fourier Neural Operator for High-Resolution PDEs, 2023; the rule is that
    of the neuraloperator library, where H has to divide by 4^L (it drifts, or fails, on other grids).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.transforms import forward, inverse


def aligned_shape(shape: Sequence[int], levels: int) -> tuple[int, ...]:
    """The smallest grid not below `shape` that can be cut: every axis a multiple of 4^levels."""
    unit = 4**levels
    return tuple(-(-s // unit) * unit for s in shape)


def patch_size(shape: Sequence[int], levels: int) -> tuple[int, ...]:
    """Points per axis of a patch, padding not counted.

    Raises:
        ValueError: for a grid that does not divide by 4^levels: its coarse windows would not lie on its points.
    """
    if levels < 0 or tuple(shape) != aligned_shape(shape, levels):
        raise ValueError(
            f"patches of a grid {tuple(shape)} with levels={levels}: wanted levels >= 0 and axes that divide by "
            f"4^levels; resize the field to {aligned_shape(shape, max(levels, 0))}, or take fewer levels"
        )
    return tuple(s // 2**levels for s in shape)


def padding_points(shape: Sequence[int], fraction: Sequence[float | int]) -> tuple[int, ...]:
    """Points to add at each end of a patch: round(fraction * H), a share of the whole axis (halves round to even)."""
    return tuple(round(f * s) for f, s in zip(fraction, shape, strict=True))


def pyramid(
    u: Float[Array, "b *space c"], levels: int, *, antialias: bool = False, spread: bool = False
) -> tuple[Array, ...]:
    """The field at every 1st, 2nd, ... 2^levels-th point of every axis.

    Args:
        u: samples of a periodic field, [b, *space, c].
        levels: coarse levels to add to the field.
        antialias: keep only the waves below the Nyquist frequency of a level before its points are taken, instead of
            letting the others alias into it as the paper does.
        spread: whether spatial axes are spread over devices: filters by matrix products then, which need reductions of
            the kept waves where an FFT would gather the field.

    Returns:
        levels + 1 fields, [b, *space / 2^l, c].
    """
    size = patch_size(u.shape[1:-1], levels)
    coarse = [tuple(s * 2 ** (levels - level) for s in size) for level in range(1, levels + 1)]
    if not antialias:
        return u, *(_every(u, shape) for shape in coarse)
    axes, backend = tuple(range(1, u.ndim - 1)), "matmul" if spread else "auto"

    def filtered(shape: tuple[int, ...]) -> Array:
        kept = forward(u, [s - 1 for s in shape], axes=axes, backend=backend)
        return inverse(kept, shape, axes=axes, backend=backend)

    return u, *(filtered(shape) for shape in coarse)


def _every(u: Array, shape: tuple[int, ...]) -> Array:
    """The first of every block of points; reshaped, not strided, which the compiler keeps local on spread axes."""
    blocks = [n for s, k in zip(u.shape[1:-1], shape, strict=True) for n in (k, s // k)]
    first = (slice(None), *(i for _ in shape for i in (slice(None), 0)))
    return u.reshape(u.shape[0], *blocks, u.shape[-1])[first]


def cut(
    fields: Sequence[Float[Array, "b *_space c"]],
    size: Sequence[int],
    padding: Sequence[int],
    names: Sequence[str | None] | None = None,
) -> Float[Array, "b *patches_and_points channels"]:
    """The patches of a `pyramid`.

    Args:
        fields: the levels, [b, *space / 2^l, c].
        size: points per axis of a patch, see `patch_size`.
        padding: points added at each end of every axis, in points of each level.
        names: mesh axis over which each axis of the fields is spread, None where it is whole (inside `jax.shard_map`).

    Returns:
        [b, *patches, *(size + 2 padding), (levels + 1) c], the channels of level 0 first. Patches on the spread axes
        are those of this device.
    """
    d = len(size)
    names = names or (None,) * d
    counts = [s // h for s, h in zip(fields[0].shape[1:-1], size, strict=True)]
    levels = []
    for level, u in enumerate(fields):
        steps = [h // 2**level for h in size]
        for j in range(d):
            u = extend(u, 1 + j, -((steps[j] - size[j]) // 2) + padding[j], names[j])
        for j in reversed(range(d)):
            width = size[j] + 2 * padding[j]
            windows = [
                jax.lax.slice_in_dim(u, i * steps[j], i * steps[j] + width, axis=1 + j) for i in range(counts[j])
            ]
            u = jnp.stack(windows, axis=1 + j)
        levels.append(u)
    # [b, patches, points, patches, points, .., c] -> [b, patches, patches, .., points, points, .., c]
    order = [0, *range(1, 2 * d, 2), *range(2, 2 * d + 1, 2), 2 * d + 1]
    return jnp.concatenate(levels, axis=-1).transpose(order)


def window_points(points: int, levels: int, padding: int) -> np.ndarray:
    """Points of the whole axis in the windows of every patch: the index rule, int [patches, window, levels + 1]."""
    patches = 2**levels
    size = points // patches
    windows = []
    for level in range(levels + 1):
        step = size // 2**level
        first = np.arange(patches)[:, None] * step - (size - step + 1) // 2 - padding
        windows.append((first + np.arange(size + 2 * padding)) % (points // 2**level) * 2**level)
    return np.stack(windows, -1)


def with_coordinates(patches: Float[Array, "b *patches_and_points c"], lines: Sequence[Array]) -> Array:
    """Patches whose every level has the coordinates of its points as further channels.

    Args:
        patches: of `cut`.
        lines: for every axis the coordinate of each window's points, [patches, window, levels + 1].
    """
    d, levels = len(lines), lines[0].shape[-1]
    split = patches.reshape(*patches.shape[:-1], levels, patches.shape[-1] // levels)
    channels = [split]
    for j, line in enumerate(lines):
        shape = [1] * (2 * d + 3)
        shape[1 + j], shape[1 + d + j], shape[-2] = line.shape
        channels.append(jnp.broadcast_to(line.astype(patches.dtype).reshape(shape), (*split.shape[:-1], 1)))
    return jnp.concatenate(channels, axis=-1).reshape(*patches.shape[:-1], -1)


def stitch(patches: Float[Array, "b *patches_and_points c"], padding: Sequence[int]) -> Float[Array, "b *space c"]:
    """The field of the patches of its level 0: the inverse of `cut`, padding dropped.

    Args:
        patches: [b, *patches, *(size + 2 padding), c].
        padding: points at each end of every axis that do not belong to the patch.
    """
    d = len(padding)
    inner = [slice(p, patches.shape[1 + d + j] - p) for j, p in enumerate(padding)]
    v = patches[(slice(None), *(slice(None) for _ in inner), *inner)]
    shape = [v.shape[1 + j] * v.shape[1 + d + j] for j in range(d)]
    order = [0, *(axis for j in range(d) for axis in (1 + j, 1 + d + j)), 2 * d + 1]
    return v.transpose(order).reshape(v.shape[0], *shape, v.shape[-1])


def split(u: Float[Array, "*b_space c"], ndim: int, levels: int) -> Float[Array, "*b_patches_points c"]:
    """The patches of a field without padding or coarse levels, [*b, *patches, *size, c]; `stitch` undoes it.

    Raises:
        ValueError: where an axis does not divide by 2^levels.
    """
    n, batch, shape = 2**levels, u.shape[: -ndim - 1], u.shape[-ndim - 1 : -1]
    if any(s % n for s in shape):
        raise ValueError(f"patches of a grid {shape} with levels={levels}: wanted axes that divide by {n}")
    v = u.reshape(*batch, *(k for s in shape for k in (n, s // n)), u.shape[-1])
    b = len(batch)
    return v.transpose(*range(b), *range(b, b + 2 * ndim, 2), *range(b + 1, b + 2 * ndim, 2), b + 2 * ndim)


def extend(u: Array, axis: int, width: int, name: str | None = None) -> Array:
    """A periodic field with `width` more points at both ends of an axis.

    Args:
        u: the field, or this device's part of it.
        axis: the axis to extend.
        width: points to add at each end, any number.
        name: mesh axis over which `axis` is spread; every hop of a collective-permute brings at most a device's part.
    """
    devices = 1 if name is None else jax.lax.axis_size(name)
    size = u.shape[axis]
    pieces = [u]
    for hop in range(1, -(-width // size) + 1):
        take = min(size, width - (hop - 1) * size)
        before = jax.lax.slice_in_dim(u, size - take, size, axis=axis)
        after = jax.lax.slice_in_dim(u, 0, take, axis=axis)
        if name is not None and hop % devices:
            ring = [(i, (i + hop) % devices) for i in range(devices)]
            before = jax.lax.ppermute(before, name, ring)
            after = jax.lax.ppermute(after, name, [(to, source) for source, to in ring])
        pieces = [before, *pieces, after]
    return jnp.concatenate(pieces, axis=axis) if len(pieces) > 1 else u
