"""Errors of a trained operator on whole test sets."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from data.placement import place
from data.source import Samples

from .metrics import Metric
from .sharding import DATA, batch_sharded


class Evaluator:
    """Mean metrics of predictions over a set, in physical units, with one compiled program per resolution.

    Args:
        predict: (parameters, inputs) -> physical predictions.
        metrics: name -> per-sample function of (prediction, target).
        mesh: samples are split over its data axis.
        batch_size: samples per call, rounded up to a multiple of the mesh.
        estimate: (inputs, predictions) -> one number per sample, reported with the metrics as `estimate`.
    """

    def __init__(
        self,
        predict: Callable[[Any, jax.Array], jax.Array],
        metrics: dict[str, Metric],
        mesh: Mesh,
        batch_size: int,
        estimate: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    ) -> None:
        devices = mesh.shape[DATA]
        self.batch_size = -(-batch_size // devices) * devices
        self._sharding = batch_sharded(mesh)

        spec = self._sharding.spec

        def errors(params, x, y):
            prediction = predict(params, x)
            found = {name: metric(prediction, y) for name, metric in metrics.items()}
            return found if estimate is None else found | {"estimate": estimate(x, prediction)}

        # The transforms of a device see its own samples only (no gathers). Two programs: errors leave the predictions
        # on the devices, of which a set may have more than a host wants to hold.
        self._errors = jax.jit(jax.shard_map(errors, mesh=mesh, in_specs=(jax.P(), spec, spec), out_specs=spec))
        self._predict = jax.jit(jax.shard_map(predict, mesh=mesh, in_specs=(jax.P(), spec), out_specs=spec))

    def __call__(self, params: Any, samples: Samples) -> dict[str, float]:
        """Mean of every metric over the set."""
        # Summed in float64 in the order of the samples: independent of the batch size and the number of devices.
        return {name: float(np.mean(v, dtype=np.float64)) for name, v in self.per_sample(params, samples).items()}

    def per_sample(self, params: Any, samples: Samples) -> dict[str, np.ndarray]:
        """Every metric of every sample."""
        totals: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(samples.x), self.batch_size):
            x, y = (self._batch(v, start) for v in (samples.x, samples.y))
            size = len(samples.x[start : start + self.batch_size])
            for name, value in gather(self._errors(params, x, y)).items():
                totals.setdefault(name, []).append(value[:size])
        return {name: np.concatenate(parts) for name, parts in totals.items()}

    def predict(self, params: Any, samples: Samples, count: int) -> np.ndarray:
        """Predictions of the first samples, at most one batch of them, for plots."""
        count = min(count, self.batch_size, len(samples.x))
        return gather(self._predict(params, self._batch(samples.x, 0)))[:count]

    def _batch(self, values: np.ndarray, start: int) -> jax.Array:
        """A batch on the devices; the last sample is repeated, for a short batch would compile a second program."""
        v = values[start : start + self.batch_size]
        return place(np.concatenate([v, np.repeat(v[-1:], self.batch_size - len(v), axis=0)]), self._sharding)


def gather(tree):
    """Whole arrays on the host, also where other processes hold a part of them."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)
