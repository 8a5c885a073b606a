"""Optimizers and learning-rate schedules, built once the number of steps is known."""

from collections.abc import Callable

import optax

Schedule = Callable[..., optax.Schedule]


def _check(name: str, value: object, sound: bool, wanted: str) -> None:
    if not sound:
        raise ValueError(f"{name}: got {value}, wanted {wanted}")


def cosine(peak: float, total_steps: int, *, warmup: float = 0.0, final: float = 0.0) -> optax.Schedule:
    """Linear warm-up over a fraction of the run, then a half cosine to `final * peak`.

    Args:
        peak: largest learning rate.
        total_steps: optimizer steps of the whole run.
        warmup: fraction of the run, in [0, 1).
        final: last learning rate as a fraction of the peak.
    """
    _check("warmup", warmup, 0 <= warmup < 1, "a fraction of the run in [0, 1)")
    _check("final", final, final >= 0, "a fraction of the peak, 0 or more")
    steps = round(warmup * total_steps)
    decay = optax.cosine_decay_schedule(peak, max(total_steps - steps, 1), alpha=final)
    return optax.join_schedules([optax.linear_schedule(0.0, peak, steps), decay], [steps]) if steps else decay


def step_decay(peak: float, total_steps: int, *, every: float = 0.2, factor: float = 0.5) -> optax.Schedule:
    """Multiply by `factor` whenever another fraction `every` of the run is over (StepLR)."""
    _check("every", every, 0 < every <= 1, "a fraction of the run in (0, 1]")
    _check("factor", factor, factor > 0, "a positive number")
    return optax.exponential_decay(peak, max(round(every * total_steps), 1), factor, staircase=True)


def one_cycle(peak: float, total_steps: int, *, warmup: float = 0.3, div: float = 25.0, final_div: float = 1e4):
    """Smith's one-cycle policy with cosine pieces: peak/div up to peak, then down to peak/div/final_div."""
    return optax.cosine_onecycle_schedule(total_steps, peak, warmup, div, final_div)


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
    """
    _check("learning_rate", learning_rate, learning_rate > 0, "a positive number")
    _check("weight_decay", weight_decay, weight_decay >= 0, "0 or a positive number")
    _check("clip_norm", clip_norm, clip_norm is None or clip_norm > 0, "a positive number, or null")
    _check("b1, b2", (b1, b2), 0 <= b1 < 1 and 0 <= b2 < 1, "numbers in [0, 1)")
    _check("eps", eps, eps > 0, "a positive number")
    rate = schedule(learning_rate, total_steps)
    transformation = optax.adamw(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)
    if clip_norm is not None:
        transformation = optax.chain(optax.clip_by_global_norm(clip_norm), transformation)
    return transformation, rate
