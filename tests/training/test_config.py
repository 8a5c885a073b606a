"""The schema refuses what it does not know, and names a run by its content."""

import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from training.check import check_components
from training.component import named
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
        ("operator.rank=abc", r"(?s)operator: .*got .*abc"),
        ("optimizer.learning_rate=abc", r"(?s)optimizer: Type.*abc"),
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
        ("operator.norm=ada_in", "operator: .*ada_in"),
    ],
)
def test_what_the_components_refuse(bad, message):
    settings, _ = parse(composed("operator=tfno", "operator.n_modes=[6,6]", f"++{bad}"))
    with pytest.raises(ValueError, match=message):
        check_components(settings)


UNEQUAL = ("operator=uno", "operator.uno_scalings=[1,0.5,1,1,1]", f"operator.uno_n_modes={[[6, 6]] * 5}")
# Of a wrong type the type checker of the tests speaks before the component does.
GROWING = ("operator=fno", "growth=loss_gap")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (UNEQUAL, r"operator: got output on \(8, 8\) for input on \(16, 16\), wanted the grid of the targets"),
        (["+operator.complex_data=true"], r"operator: u: got float32, wanted complex numbers"),
        (["+operator.in_channels=7"], r"operator.in_channels: got 7, wanted none: it comes from the data"),
        (["+optimizer.total_steps=3"], r"optimizer.total_steps: got 3, wanted none"),
        (["optimizer=adamw_modulus", "+optimizer.pair_axes={}"], r"optimizer.pair_axes: got \{\}, wanted none"),
        (["optimizer=adamw_modulus", "+optimizer.b1=1.5"], r"b1, b2: got \(1.5, 0.999\), wanted"),
        (["+loss.extent=[2.0]"], r"loss.extent: got \[2.0\], wanted none: it comes from the data"),
        (["+loss.problem=1"], r"loss.problem: got 1, wanted none"),
        (["loss=sobolev", "loss.order=a"], r"(?s)loss: Type"),
        (["loss=per_patch", "loss.levels=9"], r"(?s)loss: .*512"),
        (["loss=l2_h1", "loss.balance=3"], r"(?s)loss: .*balance.*3"),
        (["loss=l2_h1", "+loss.weights={h1: a}"], r"(?s)loss: .*weights.*'a'"),
        (["loss=l2_h1", "+loss.weights={h1: -1.0}"], r"weights.h1: got -1.0, wanted a number, 0 or more"),
        ([*GROWING, "growth.tolerance=a"], r"(?s)growth: .*tolerance.*'a'"),
        ([*GROWING, "growth.start=2.5"], r"(?s)growth: .*start.*2.5"),
        ([*GROWING, "growth.start=6"], r"growth.start: got 6 for n_modes \(6, 6\), wanted fewer"),
        ([*GROWING, "growth._target_=training.incremental.Growth"], r"Growth"),
        (["trainer.strides=[2,1]", "~data.normalize_inputs", "trainer.epochs=10"], r"wanted more than 10 epochs"),
    ],
    ids=lambda bad: bad[-1] if isinstance(bad, (list, tuple)) else "",
)
def test_what_would_fail_later_or_be_ignored(bad, message):
    modes = [] if "operator=uno" in bad else ["operator.n_modes=[6,6]"]
    settings, _ = parse(composed(*modes, *bad))
    with pytest.raises(ValueError, match=message):
        check_components(settings)


def test_the_reason_stands_before_the_config():
    with (
        pytest.raises(ValueError, match=r"^operator: KeyError: 'a'; remove it; got \{'_target_': 'x'\}$"),
        named("operator", {"_target_": "x"}, "remove it"),
    ):
        _ = {}["a"]


@pytest.mark.parametrize("debug", ["smoke", "overfit"])
def test_incremental_experiments_compose_with_everything(debug):
    """A rule of its own has no setting of another; debug runs, which are short, stay on one grid."""
    rule, name = ("growth=explained_variance", "ns_ifno") if debug == "smoke" else ("growth=loss_gap", "paper/ns_ifno")
    register()
    with initialize_config_module("configs", version_base="1.3"):
        settings, _ = parse(compose("train", overrides=[f"experiment={name}", rule, f"debug={debug}"]))
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
