"""Optimizers and learning-rate schedules, built once the number of steps is known."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from operators.layers.arguments import is_number

from .component import check

Schedule = Callable[..., optax.Schedule]


def cosine(peak: float, total_steps: int, *, warmup: float = 0.0, final: float = 0.0) -> optax.Schedule:
    """Linear warm-up over a fraction of the run, then a half cosine to `final * peak`.

    Args:
        peak: largest learning rate.
        total_steps: optimizer steps of the whole run.
        warmup: fraction of the run, in [0, 1).
        final: last learning rate as a fraction of the peak.
    """
    check("warmup", warmup, is_number(warmup) and 0 <= warmup < 1, "a fraction of the run in [0, 1)")
    check("final", final, is_number(final) and 0 <= final <= 1, "a fraction of the peak in [0, 1]")
    steps = round(warmup * total_steps)
    decay = optax.cosine_decay_schedule(peak, max(total_steps - steps, 1), alpha=final)
    return optax.join_schedules([optax.linear_schedule(0.0, peak, steps), decay], [steps]) if steps else decay


def step_decay(peak: float, total_steps: int, *, every: float = 0.2, factor: float = 0.5) -> optax.Schedule:
    """Multiply by `factor` whenever another fraction `every` of the run is over (StepLR)."""
    check("every", every, 0 < every <= 1, "a fraction of the run in (0, 1]")
    check("factor", factor, factor > 0, "a positive number")
    return optax.exponential_decay(peak, max(round(every * total_steps), 1), factor, staircase=True)


def warm_restarts(peak: float, total_steps: int, *, every: int, final: float = 0.0) -> optax.Schedule:
    """A half cosine from the peak towards `final * peak` that begins anew after every `every` steps.

    Args:
        peak: learning rate at every start.
        total_steps: optimizer steps of the whole run, of no matter here.
        every: steps from one start to the next.
        final: what a piece goes to, as a fraction of the peak.

    Source: Loshchilov & Hutter, SGDR, 2017, with pieces of one length.
    """
    del total_steps
    wanted = "a whole number of steps, 1 or more"
    check("every", every, isinstance(every, int) and not isinstance(every, bool) and every > 0, wanted)
    check("final", final, is_number(final) and 0 <= final <= 1, "a fraction of the peak in [0, 1]")
    piece = optax.cosine_decay_schedule(peak, every, alpha=final)
    return lambda count: piece(jnp.asarray(count) % every)


def one_cycle(peak: float, total_steps: int, *, warmup: float = 0.3, div: float = 25.0, final_div: float = 1e4):
    """Smith's one-cycle policy with cosine pieces: peak/div up to peak, then down to peak/div/final_div."""
    return optax.cosine_onecycle_schedule(total_steps, peak, warmup, div, final_div)


def linear(peak: float, total_steps: int) -> optax.Schedule:
    """Down to zero in equal steps."""
    return optax.linear_schedule(peak, 0.0, total_steps)


def constant(peak: float, total_steps: int) -> optax.Schedule:
    """The same learning rate throughout."""
    del total_steps
    return optax.constant_schedule(peak)


def adamw(
    total_steps: int,
    *,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    clip_norm: float | None = None,
    schedule: Schedule = cosine,
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """AdamW with decoupled weight decay; the real and imaginary parts of spectral weights are separate numbers.

    Args:
        total_steps: optimizer steps of the whole run.
        learning_rate: peak of the schedule.
        weight_decay: decoupled decay, scaled by the learning rate as in PyTorch.
        b1, b2, eps: as in Kingma & Ba.
        clip_norm: clip the global gradient norm; none by default.
        schedule: (peak, total_steps) -> optax schedule.

    Returns:
        The transformation and its schedule (for the log).

    Raises:
        ValueError: for a number out of its range.
    """
    _check_adam(learning_rate, weight_decay, b1, b2, eps, clip_norm)
    rate = schedule(learning_rate, total_steps)
    return _clipped(optax.adamw(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay), clip_norm), rate


def adamw_modulus(
    total_steps: int,
    *,
    pair_axes: Mapping[str, int],
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    clip_norm: float | None = None,
    schedule: Schedule = cosine,
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """AdamW in which a complex entry of a spectral weight has one second moment, that of its modulus.

    See `modulus_adamw`; the run says where the pairs are.

    Args:
        total_steps: optimizer steps of the whole run.
        pair_axes: parameter name -> its (re, im) axis, for the complex ones.
        learning_rate: peak of the schedule.
        weight_decay: decoupled decay, scaled by the learning rate.
        b1, b2, eps: as in the PyTorch library.
        clip_norm: clip the global gradient norm; none by default.
        schedule: (peak, total_steps) -> optax schedule.

    Returns:
        The transformation and its schedule (for the log).

    Raises:
        ValueError: for a number out of its range.
    """
    _check_adam(learning_rate, weight_decay, b1, b2, eps, clip_norm)
    rate = schedule(learning_rate, total_steps)
    return _clipped(modulus_adamw(rate, pair_axes, b1, b2, eps, weight_decay), clip_norm), rate


class ModulusState(NamedTuple):
    """Steps done and both moments; the second has size 1 along the axis of a pair."""

    count: jax.Array
    mu: Any
    nu: Any


def modulus_adamw(
    rate: optax.Schedule, pair_axes: Mapping[str, int], b1: float, b2: float, eps: float, weight_decay: float
) -> optax.GradientTransformation:
    """The AdamW of the PyTorch library on complex numbers that are stored as real pairs.

        m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) |g|^2,    |g|^2 = re^2 + im^2
        p <- p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps),    then    p <- p - lr weight_decay p

    The direction of a complex step is that of m, where one second moment for each part turns it towards the diagonals.
    eps is added before the correction of v, and the decay comes after the step; both differ from `optax.adamw`.

    Args:
        rate: learning rate at a step, from 0.
        pair_axes: parameter name (path joined by slashes) -> the axis of length two; all others are real.
        b1, b2, eps, weight_decay: see the equations.

    Raises:
        ValueError: when initialised with parameters that lack a named one, or whose axis has not length two.

    Source: neuraloperator 2.0, training/adamw.py, without Tensor-GaLore.
    """

    def init(params: optax.Params) -> ModulusState:
        shapes = {_name(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
        for name, axis in pair_axes.items():
            if name not in shapes or shapes[name][axis] != 2:
                raise ValueError(f"pair_axes: got {name} -> {axis}, wanted an axis of length two of one of {shapes}")
        nu = jax.tree_util.tree_map_with_path(lambda path, p: jnp.zeros_like(_squared(path, p)), params)
        return ModulusState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params), nu)

    def _squared(path, g: jax.Array) -> jax.Array:
        axis = pair_axes.get(_name(path))
        return g**2 if axis is None else jnp.sum(g**2, axis, keepdims=True)

    def update(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None):
        assert isinstance(state, ModulusState) and params is not None
        count = state.count + 1
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, updates)
        nu = jax.tree_util.tree_map_with_path(
            lambda path, g, v: b2 * v + (1 - b2) * _squared(path, g), updates, state.nu
        )
        lr = rate(state.count)
        t = count.astype(jnp.result_type(jnp.float32, *jax.tree.leaves(params)))
        size = lr * jnp.sqrt(_correction(b2, t)) / _correction(b1, t)

        def change(p, m, v):
            step = -size * m / (jnp.sqrt(v) + eps)
            return (step - lr * weight_decay * (p + step)).astype(p.dtype)

        return jax.tree.map(change, params, mu, nu), ModulusState(count, mu, nu)

    return optax.GradientTransformation(init, update)


def _correction(decay: float, t: jax.Array) -> jax.Array:
    """1 - decay^t; as a difference it would lose three of seven digits at first."""
    return -jnp.expm1(t * (math.log(decay) if decay else -math.inf))


def _check_adam(
    learning_rate: float, weight_decay: float, b1: float, b2: float, eps: float, clip_norm: float | None
) -> None:
    """What AdamW takes, whichever way it counts complex numbers."""
    check("learning_rate", learning_rate, is_number(learning_rate) and learning_rate > 0, "a positive number")
    check("weight_decay", weight_decay, is_number(weight_decay) and weight_decay >= 0, "0 or a positive number")
    clips = clip_norm is None or (is_number(clip_norm) and clip_norm > 0)
    check("clip_norm", clip_norm, clips, "a positive number, or null")
    check("b1, b2", (b1, b2), all(is_number(b) and 0 <= b < 1 for b in (b1, b2)), "numbers in [0, 1)")
    check("eps", eps, is_number(eps) and eps > 0, "a positive number")


def _name(path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _clipped(transformation: optax.GradientTransformation, clip_norm: float | None) -> optax.GradientTransformation:
    if clip_norm is None:
        return transformation
    return optax.chain(optax.clip_by_global_norm(clip_norm), transformation)
