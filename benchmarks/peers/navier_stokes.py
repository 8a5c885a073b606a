"""Our FNO and TFNO beside the PyTorch library's on the file that `ns_tfno` generated.

    python -m benchmarks.peers.navier_stokes --seeds 0 1 2

Same data, widths, modes, factorisation, rank, normalisation, H1 loss, AdamW with the same learning rates, batch size
and epochs; each side draws its own initial weights and order of samples. Printed: relative L2 on the test set (physical
units, last epoch) and seconds of the training steps alone, ours and theirs, and the mean errors over the seeds. Our
runs go to a temporary folder, so that every one trains.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_module

from training import build
from training.config import Run, parse, register
from training.run import run


def composed(experiment: str, seed: int, overrides: list[str]):
    """The config of one of our runs."""
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", overrides=[f"experiment={experiment}", f"seed={seed}", *overrides])


def ours(experiment: str, seed: int, overrides: list[str]) -> dict[str, float]:
    """Train our operator; figures from its `result.json`."""
    with tempfile.TemporaryDirectory() as output:
        quiet = ["plots=false", "logger.console_every_seconds=1e9", f"output={output}", "run_id=ours"]
        run(composed(experiment, seed, [*overrides, *quiet]))
        result = json.loads((Path(output) / "ours" / "result.json").read_text())
    return {
        "rel_l2": result["test/rel_l2"],
        "seconds": result["seconds_per_step"] * result["steps"],
        "parameters": result["num_params"],
    }


def theirs(experiment: str, seed: int, overrides: list[str]) -> dict[str, float]:
    """Train the library's operator of the same name on the same arrays."""
    settings, _ = parse(composed(experiment, seed, overrides))
    data = build.build_datasets(settings)
    assert data.train.samples is not None
    return _train_torch(settings, data.train.samples, data.test["test"], seed)


def _import_peers():
    try:
        import neuralop.losses
        import neuralop.models
        import torch
    except ImportError as error:
        raise SystemExit(
            f"navier_stokes: got no module {error.name!r}, wanted the PyTorch library to compare with; install torch "
            "and then the extra: pip install -e '.[peers]'"
        ) from error
    return torch, neuralop


def _train_torch(settings: Run, train: Any, test: Any, seed: int) -> dict[str, float]:
    torch, neuralop = _import_peers()
    torch.manual_seed(seed)
    torch.set_num_threads(2)
    model = _their_model(neuralop, settings)
    mean, std = (torch.tensor([getattr(train, v).mean(), getattr(train, v).std(ddof=1)]) for v in "xy")
    x, y = (torch.from_numpy(np.moveaxis(v, -1, 1).copy()) for v in (train.x, train.y))
    x, y = (x - mean[0]) / mean[1], (y - std[0]) / std[1]
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.optimizer["learning_rate"], weight_decay=settings.optimizer["weight_decay"]
    )
    batch, epochs = settings.data["batch_size"], settings.trainer.epochs
    steps = len(x) // batch
    _, rate = build.build_optimizer(settings, steps * epochs)
    peak = settings.optimizer["learning_rate"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: np.asarray(rate(step)).item() / peak)
    loss_of = neuralop.losses.H1Loss(d=2, measure=list(train.metadata.extent), reduction="mean")
    begin = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for i in range(steps):
            rows = order[i * batch : (i + 1) * batch]
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - begin
    errors = []
    with torch.no_grad():
        for i in range(0, len(test.x), batch):
            inputs, targets = (torch.from_numpy(np.moveaxis(v[i : i + batch], -1, 1).copy()) for v in (test.x, test.y))
            prediction = model((inputs - mean[0]) / mean[1]) * std[1] + std[0]
            errors.append(
                torch.linalg.vector_norm(prediction - targets, dim=(1, 2, 3))
                / torch.linalg.vector_norm(targets, dim=(1, 2, 3))
            )
    parameters = sum(p.numel() * (2 if p.is_complex() else 1) for p in model.parameters())
    return {"rel_l2": float(torch.cat(errors).mean()), "seconds": seconds, "parameters": parameters}


def _their_model(neuralop: Any, settings: Run) -> Any:
    operator = dict(settings.operator)
    name = operator.pop("_target_").rpartition(".")[2]
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in operator.items()}
    if name == "TFNO":
        return neuralop.models.FNO(
            in_channels=1, out_channels=1, implementation="factorized", **{"factorization": "Tucker", **options}
        )
    return neuralop.models.FNO(in_channels=1, out_channels=1, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--experiments", nargs="+", default=["ns_fno", "ns_tfno"])
    parser.add_argument("--set", nargs="*", default=[], help="overrides of both sides, such as trainer.epochs=5")
    arguments = parser.parse_args()
    _import_peers()
    means: dict[str, list[float]] = {}
    for experiment in arguments.experiments:
        for seed in arguments.seeds:
            for side in (ours, theirs):
                row, name = side(experiment, seed, arguments.set), side.__name__
                means.setdefault(f"{experiment} {name}", []).append(row["rel_l2"])
                print(
                    f"{experiment:8s} seed {seed} {name:6s} rel_l2 {row['rel_l2']:.4f}  {row['seconds']:7.1f} s  "
                    f"{row['parameters']:,} parameters",
                    flush=True,
                )
    for name, values in means.items():
        print(f"{name:16s} mean {statistics.mean(values):.4f}", file=sys.stdout)


if __name__ == "__main__":
    main()
