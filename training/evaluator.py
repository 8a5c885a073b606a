"""Errors of a trained operator on whole test sets."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from data.loader import place
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
    """

    def __init__(
        self,
        predict: Callable[[Any, jax.Array], jax.Array],
        metrics: dict[str, Metric],
        mesh: Mesh,
        batch_size: int,
    ) -> None:
        devices = mesh.shape[DATA]
        self.batch_size = -(-batch_size // devices) * devices
        self._sharding = batch_sharded(mesh)

        spec = self._sharding.spec

        def local(params, x, y):
            prediction = predict(params, x)
            return prediction, {name: metric(prediction, y) for name, metric in metrics.items()}

        # The transforms of a device see its own samples only (no gathers).
        self._call = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(jax.P(), spec, spec), out_specs=(spec, spec)))

    def __call__(self, params: Any, samples: Samples) -> dict[str, float]:
        """Mean of every metric over the set."""
        totals: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(samples.x), self.batch_size):
            _, values = self._batch(params, samples, start)
            for name, value in values.items():
                totals.setdefault(name, []).append(value)
        # Summed in float64 in the order of the samples: independent of the batch size and the number of devices.
        return {name: float(np.mean(np.concatenate(parts), dtype=np.float64)) for name, parts in totals.items()}

    def predict(self, params: Any, samples: Samples, count: int) -> np.ndarray:
        """Predictions of the first samples, for plots."""
        return self._batch(params, samples, 0)[0][:count]

    def _batch(self, params, samples, start):
        x, y = (v[start : start + self.batch_size] for v in (samples.x, samples.y))
        size = len(x)
        # Repeat the last sample: a short batch would compile a second program.
        x, y = (np.concatenate([v, np.repeat(v[-1:], self.batch_size - size, axis=0)]) for v in (x, y))
        x, y = (place(v, self._sharding) for v in (x, y))
        prediction, values = gather(self._call(params, x, y))
        return prediction[:size], {name: value[:size] for name, value in values.items()}


def gather(tree):
    """Whole arrays on the host, also where other processes hold a part of them."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)
