"""Trajectories to refine, predictions of them that are wrong as a network's are, and how far off. Under float64."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import config

from pdes.equations import Burgers, KuramotoSivashinsky, NavierStokes
from pdes.initial import mcwilliams
from pdes.steppers import cn_rk4, etdrk4, rollout
from spectral.grid import Grid

BOX, INTERVAL = 2 * np.pi, 0.055


@functools.cache
def turbulence(n: int, viscosity: float, count: int, snapshots: int = 20) -> tuple[NavierStokes, np.ndarray]:
    """Decaying turbulence from t = 4.5 on at intervals of 0.055: equation, and vorticity [count, n, n, snapshots]."""
    equation = NavierStokes(Grid((n, n), (BOX,)), viscosity)

    def one(key):
        start = equation.to_spectral(mcwilliams(key, equation.grid, convention="torch_cfd"))
        first = rollout(etdrk4(equation, 4.5 / 410), start, 1, 410)
        states = jnp.concatenate([first, rollout(etdrk4(equation, INTERVAL / 8), first[0], snapshots - 1, 8)])
        return jnp.moveaxis(jax.vmap(equation.to_physical)(states), 0, -1)

    keys = jnp.stack([jax.random.key(seed) for seed in range(count)])
    return equation, np.asarray(jax.jit(lambda keys: jax.lax.map(one, keys))(keys))


def burgers() -> tuple[Burgers, float, np.ndarray]:
    """Equation, interval, and a wave that steepens into a front: [1, 64, 14]."""
    equation = Burgers(Grid((64,), (BOX,)), 0.1)
    x = equation.grid.points[0]
    return equation, 0.1, _line(equation, 0.3 + np.sin(x) + 0.3 * np.cos(2 * x), 0.1)


def kuramoto_sivashinsky() -> tuple[KuramotoSivashinsky, float, np.ndarray]:
    """Equation, interval, and a chaotic state after its start is forgotten: [1, 64, 14]."""
    equation = KuramotoSivashinsky(Grid((64,), (32.0,)))
    x = 2 * np.pi * equation.grid.points[0] / 32
    return equation, 0.5, _line(equation, np.cos(x) + 0.5 * np.sin(3 * x), 0.5, warm=100.0)


def _line(equation, start: np.ndarray, interval: float, warm: float = 0.1) -> np.ndarray:
    def states(u):
        first = rollout(etdrk4(equation, 0.025), equation.to_spectral(u), 1, round(warm / 0.025))
        return jnp.concatenate([first, rollout(etdrk4(equation, interval / 40), first[0], 13, 40)])

    return np.moveaxis(
        np.asarray(jax.jit(lambda u: jax.vmap(equation.to_physical)(states(u)))(jnp.asarray(start))), 0, -1
    )[None]


def wrong(truth: np.ndarray, grid: Grid, level: float) -> np.ndarray:
    """Outputs [b, *space, t] with an error that grows from zero, is smooth in time, and larger in small scales.

    Per mode as large as the truth times min(1, |m| / 6), with random phases; `level` relative to the whole window.
    """
    axes = tuple(range(1, grid.ndim + 1))
    out = np.empty_like(truth)
    time = (np.arange(truth.shape[-1]) + 1) / truth.shape[-1]
    modes = np.sqrt(sum(np.square(m, dtype=float) for m in np.broadcast_arrays(*grid.modes)))[None, ..., None]
    for seed, sample in enumerate(truth):
        rng = np.random.default_rng(seed)
        sizes = np.sqrt(np.mean(np.abs(np.fft.rfftn(sample[None], axes=axes)) ** 2, axis=-1, keepdims=True))
        error = 0
        for j in range(3):
            phases = np.fft.rfftn(rng.standard_normal((1, *grid.shape, 1)), axes=axes)
            pattern = np.fft.irfftn(phases * sizes * np.minimum(1, modes / 6), grid.shape, axes=axes)
            error = error + time ** (j / 2 + 0.5) * np.sin((j + 1) * time + j) * pattern
        out[seed] = sample + error[0] * (level * np.linalg.norm(sample) / np.linalg.norm(error))
    return out


def errors(found, truth: np.ndarray) -> np.ndarray:
    """Relative L2 error over space and time, [b]."""
    difference = np.asarray(found, float) - truth
    return np.sqrt((difference**2).reshape(len(truth), -1).sum(1) / (truth**2).reshape(len(truth), -1).sum(1))


@contextlib.contextmanager
def unchecked():
    """Without the annotations that tests check: what the library itself says of a wrong argument."""
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", False)


__all__ = ["BOX", "INTERVAL", "burgers", "cn_rk4", "errors", "kuramoto_sivashinsky", "turbulence", "unchecked", "wrong"]
