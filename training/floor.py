"""The errors below which an operator with a fixed set of modes cannot come, whatever it learns."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jax.sharding import Mesh

from data.normalizer import Normalizer
from data.source import Samples

from .evaluator import Evaluator
from .metrics import Metric


class Floor:
    """Mean metrics of the best prediction that an operator's modes allow: the targets without the others.

    It is the least L2 error of every sample; in other norms the error of the same prediction.

    Args:
        model_of: parameters and running statistics -> operator with `project`.
        targets: normaliser of targets.
        metrics: name -> per-sample function of (prediction, target).
        mesh: as that of an `Evaluator`.
        batch_size: as that of an `Evaluator`.
    """

    def __init__(
        self,
        model_of: Callable[..., Any],
        targets: Normalizer,
        metrics: dict[str, Metric],
        mesh: Mesh,
        batch_size: int,
    ) -> None:
        self._evaluator = Evaluator(
            lambda values, y: targets.decode(model_of(*values).project(targets.encode(y))), metrics, mesh, batch_size
        )

    def __call__(self, values: Any, sets: Mapping[str, Samples]) -> dict[str, float]:
        """`<set>/floor_<metric>` -> mean over the set.

        Args:
            values: parameters and running statistics.
            sets: by name.
        """
        return {
            f"{name}/floor_{metric}": value
            for name, samples in sets.items()
            for metric, value in self._evaluator(values, dataclasses.replace(samples, x=samples.y)).items()
        }
