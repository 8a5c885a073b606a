"""Every experiment file composes, fits its schema, and builds its operator without computing anything."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from training.build import build_splits
from training.check import check_components
from training.config import parse, register

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXPERIMENTS = sorted(
    p.relative_to(CONFIGS / "experiment").with_suffix("").as_posix() for p in (CONFIGS / "experiment").rglob("*.yaml")
)


def first_of_operators() -> set[str]:
    """The first experiment with every operator file."""
    found = {}
    for name in EXPERIMENTS:
        text = (CONFIGS / "experiment" / f"{name}.yaml").read_text()
        for operator in re.findall(r"override /operator: (\w+)", text):
            found.setdefault(operator, name)
    return set(found.values())


def composed(*overrides: str):
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return parse(compose("train", overrides=list(overrides)))


def with_debugging() -> list:
    """All experiments alone and in both debug runs. Of those of a paper's size, which are others at large, the fast
    tier takes debug runs of what no smaller one has.
    """
    rows = [(name, debug) for name in EXPERIMENTS for debug in (None, "smoke", "overfit")]
    small = [debug and name.startswith("paper/") and name[6:] in EXPERIMENTS for name, debug in rows]
    return [
        pytest.param(*row, marks=pytest.mark.slow) if alike else row for row, alike in zip(rows, small, strict=True)
    ]


@pytest.mark.parametrize(("experiment", "debug"), with_debugging())
def test_experiment_builds(experiment, debug):
    settings, _ = composed(f"experiment={experiment}", *([f"debug={debug}"] if debug else []))
    # What debugging replaces are the data: the operator and the optimizer are those of the experiment, and so is its
    # loss unless it asks for the equation. Once for every operator: some see several states.
    asks = debug == "smoke" and (settings.loss.get("residuals") or settings.growth)
    if debug is None or asks or experiment in first_of_operators():
        # Operator, loss, optimizer and every generator are built in the abstract.
        check_components(settings)
    else:
        build_splits(settings)
    assert settings.name == (debug or settings.name)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment_is_short_and_says_what_to_expect(experiment):
    text = (CONFIGS / "experiment" / f"{experiment}.yaml").read_text()
    assert len(text.splitlines()) <= 60
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    for word in ("python train.py", "hardware", "time", "rel_l2"):
        assert word in header, f"{experiment}: the header does not state {word!r}"


def test_the_run_id_follows_the_config():
    """Equal commands share a run directory, different ones do not collide, sinks do not matter."""
    first, again, other, logged = (
        composed("experiment=ns_tfno", *more)[0].run_id
        for more in ((), (), ("seed=1",), ("logger.console_every_seconds=1",))
    )
    assert first == again == logged != other
    # What happens to predictions after training is no part of it: the trained network is found.
    trained, refined = (composed(f"experiment={name}")[0].run_id for name in ("ns_stfno", "ns_refiner"))
    assert trained == refined
    assert OmegaConf.create({"id": first}).id.startswith("ns_tfno-")
