"""From config to objects, where an operator has coefficients: what it takes from data, and how samples are stored."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from data.normalizer import Normalizer
from data.source import load
from operators.base import Operator

from .build import STATISTICS, TrainingSet, build_loss
from .config import Run
from .k_space import KSpace
from .losses import SpectralL2
from .problem import Problem

# Samples that an operator sees of a set in memory, to be adapted to it.
MEASURED = 1024


def adapted(
    create: Callable[[jax.Array], Operator], train: TrainingSet, normalizers: tuple[Normalizer, Normalizer]
) -> Callable[[jax.Array], Operator]:
    """The same function for operators that take something from the data before training, and then do.

    Those have `measure`, which is given normalised training samples, and `adapt`, which is given what came of it.

    Args:
        create: random key -> operator.
        train: the training set; its first samples are enough.
        normalizers: of inputs and targets.
    """
    abstract = nnx.eval_shape(create, jax.random.key(0))
    measure = getattr(abstract, "measure", None)
    if measure is None:
        return create
    samples = train.samples or load(train.path, train.inputs, train.targets, slice(0, STATISTICS))
    inputs, targets = normalizers
    energies = jax.device_get(
        jax.jit(lambda x, y: measure(inputs.encode(x), targets.encode(y)))(samples.x[:MEASURED], samples.y[:MEASURED])
    )

    def create_adapted(key: jax.Array) -> Operator:
        operator: Any = create(key)
        operator.adapt(jax.tree.map(jax.numpy.asarray, energies))
        return operator

    return create_adapted


def build_k_space(
    run: Run,
    problem: Problem,
    operator: Any,
    shape: tuple[int, ...],
    normalizers: tuple[Normalizer, Normalizer],
    cached: bool,
) -> KSpace | None:
    """How samples are represented for a loss of coefficients; None for one of fields.

    Args:
        run: settings.
        problem: what the data say about themselves.
        operator: may be abstract.
        shape: grid of the training samples.
        normalizers: of inputs and targets.
        cached: whether the training set is in memory.

    Raises:
        ValueError: for an operator without coefficients, or grids that change while training.
    """
    loss = build_loss(run, problem)
    if not isinstance(loss, SpectralL2):
        return None
    truncation = getattr(operator, "truncation", None)
    if truncation is None:
        raise ValueError(
            f"loss: got {run.loss['_target_']} for {run.operator['_target_']}, wanted an operator with coefficients, "
            "such as operators.T1, or another loss, such as loss=l2"
        )
    if run.trainer.strides:
        raise ValueError(
            f"trainer.strides: got {run.trainer.strides} with {run.loss['_target_']}, wanted none: the cost of its "
            "steps does not depend on the grid"
        )
    return KSpace(truncation, shape, *normalizers, loss, cached)
