"""The schema refuses what it does not know, and names a run by its content."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from training.check import check_components
from training.config import difference, parse, register

ROOT = Path(__file__).resolve().parents[2]


def composed(*overrides: str):
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", overrides=["pde=synthetic", "data=synthetic", *overrides])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.epohcs=3", "epohcs"),
        ("trainer.epochs=many", "trainer.epochs=many"),
        ("traner.epochs=3", "traner"),
        ("experiment=ns_tfn", "experiment/ns_tfn"),
        ("operator=fnoo", "fno"),
    ],
)
def test_misspelt(override, message):
    with pytest.raises(Exception, match=message):
        composed(override)


@pytest.mark.parametrize(
    "bad",
    ["trainer.epochs=0", "trainer.ema_decay=1.5", "trainer.accumulate=-1", "trainer.eval_every=-1",
     "trainer.eval_batch_size=0", "checkpoint.keep_best=-1", "checkpoint.every_epochs=0", "seed=-1",
     "seed=5000000000", "logger.console_every_seconds=-1", "run_id=../elsewhere", "run_id=a/b", "name=.."],
)  # fmt: skip
def test_out_of_range(bad):
    with pytest.raises(ValueError, match=bad.partition("=")[0] + ": got"):
        parse(composed(bad))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("operator.rank=abc", "operator: got .*abc"),
        ("optimizer.learning_rate=abc", "optimizer: got .*abc"),
        ("checkpoint.best_metric=test/rel_l2", "best_metric: got 'test/rel_l2', wanted one of valid/rel_h1"),
        ("objective=valid/loss", "objective: got 'valid/loss'"),
        ("objective=train/rel_l2", "objective: got 'train/rel_l2', wanted one of test/"),
        (
            "data.splits.train.resolutions=[[16,16],[32,32]]",
            r"splits.train.resolutions: got \[\[16, 16\], .*wanted one",
        ),
        ("optimizer.learning_rate=-1.0", "learning_rate: got -1.0, wanted a positive"),
        ("optimizer.schedule.warmup=2.0", r"warmup: got 2.0, wanted a fraction of the run in \[0, 1\)"),
        ("operator.non_linearity=swish", "non_linearity: got 'swish', wanted one of .*gelu"),
        ("operator.norm=ada_in", "operator: got .*ada_in"),
    ],
)
def test_what_the_components_refuse(bad, message):
    settings, _ = parse(composed("operator=tfno", "operator.n_modes=[6,6]", f"++{bad}"))
    with pytest.raises(ValueError, match=message):
        check_components(settings)


def test_difference_shows_the_lines_that_changed():
    one, two = parse(composed())[1], parse(composed("trainer.epochs=7", "logger.console_every_seconds=1"))[1]
    text = difference(one, two)
    assert "-  epochs: 20" in text and "+  epochs: 7" in text and "console" not in text
    assert difference(one, one) == ""


def test_the_door_names_the_misspelt_key():
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "trainer.epohcs=3"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Key 'epohcs' not in 'Trainer'" in done.stderr
