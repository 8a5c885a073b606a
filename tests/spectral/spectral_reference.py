"""Truncated transforms in NumPy, one coefficient at a time: slow, and with nothing in common with the library's."""

import itertools

import numpy as np


def kept_frequencies(n_modes, shape):
    """Signed frequencies of every axis in the documented order."""
    counts = [min(n, s) for n, s in zip(n_modes, shape, strict=True)]
    leading = [range(-(k // 2), k - k // 2) for k in counts[:-1]]
    return [*leading, range(counts[-1] // 2 + 1)]


def forward(u, n_modes, axes):
    """Every kept coefficient as a sum over the points."""
    shape = [u.shape[a] for a in axes]
    c = u.astype(complex)
    for axis, size, frequencies in zip(axes, shape, kept_frequencies(n_modes, shape), strict=True):
        waves = np.exp(-2j * np.pi * np.outer(np.array(frequencies), np.arange(size)) / size) / size
        c = np.moveaxis(np.tensordot(waves, c, (1, axis)), 0, axis)
    return c


def inverse(c, shape, axes):
    """Coefficients put into NumPy's bins by signed frequency, then the documented rule."""
    counts = [c.shape[a] for a in axes]
    frequencies = [range(-(k // 2), k - k // 2) for k in counts[:-1]] + [range(counts[-1])]
    bins = [*shape[:-1], shape[-1] // 2 + 1]
    c = np.moveaxis(c, axes, range(len(axes)))
    half = np.zeros((*bins, *c.shape[len(axes) :]), complex)
    for index in itertools.product(*(range(k) for k in counts)):
        f = [frequencies[a][i] for a, i in enumerate(index)]
        on_grid = all(-(s // 2) <= g < s - s // 2 for g, s in zip(f[:-1], shape[:-1], strict=True))
        if on_grid and f[-1] <= shape[-1] // 2:
            half[tuple(g % b for g, b in zip(f, bins, strict=True))] = c[index]
    last = len(axes) - 1
    if last:
        half = np.fft.ifftn(half, axes=range(last), norm="forward")
    half = np.moveaxis(half, last, -1)
    half[..., 0] = half[..., 0].real
    if shape[-1] % 2 == 0:
        half[..., -1] = half[..., -1].real
    u = np.fft.irfft(half, n=shape[-1], axis=-1, norm="forward")
    return np.moveaxis(np.moveaxis(u, -1, last), range(len(axes)), axes)
