import os
import sys
import types
from functools import partial

import optax
import pytest

from data.instantiate import TargetError, describe, find, instantiate
from data.synthetic import HeatFlow

BUILT = []


@pytest.fixture
def elsewhere(monkeypatch):
    """A package that the user owns."""
    module = types.ModuleType("mine")

    def build(*args, **kwargs):
        BUILT.append((args, kwargs))
        return len(BUILT)

    build.__module__ = "mine"
    module.__dict__.update(build=build)
    monkeypatch.setitem(sys.modules, "mine", module)
    BUILT.clear()


def test_builds_nested_objects_and_tuples():
    cfg = {"heat": {"_target_": "data.synthetic.HeatFlow", "shape": [16, 16]}, "n": [1, [2]]}
    assert instantiate(cfg) == {"heat": HeatFlow((16, 16)), "n": (1, (2,))}


def test_partial_and_call_arguments():
    cfg = {"_target_": "optax.adamw", "_partial_": True, "_convert_": "all", "b1": 0.8}
    made = instantiate(cfg, weight_decay=0.1)
    assert isinstance(made, partial) and made.keywords == {"b1": 0.8, "weight_decay": 0.1}
    assert isinstance(made(1e-3), optax.GradientTransformation)
    assert instantiate({"_target_": "optax.constant_schedule"}, 0.5)(3) == 0.5


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.run",
        "data_evil.run",
        "datafoo",
        "posix.system",
        "training.directory.write_text",  # in a package of components, but none
        "data.writer.prepare_folder",
        "spectral.grid.Grid",
        "training.losses.jnp.save",  # through a module that an allowed one imports
        "data.synthetic.jax.jit",
        "data.synthetic.Grid",  # defined elsewhere, imported by name
        "data.synthetic",  # a module
        "operators.layers",
        "training.losses.EPSILON",
        "data.synthetic.HeatFlow.__init__.__globals__",
        "",
        None,
        ["os.system"],
    ],
)
def test_refused_targets(target):
    with pytest.raises(TargetError, match=r"pde.*_target_: got .*wanted"):
        instantiate({"_target_": target, "command": "true"}, where="pde")


def test_no_file_is_written_by_a_config(tmp_path):
    """The writer is nested in an allowed target too: every name is checked, and none is called."""
    path = {"_target_": "training.restore.resolve", "directory": str(tmp_path / "written")}
    attack = {"_target_": "training.directory.write_text", "path": path, "text": "x"}
    for cfg in (attack, {"_target_": "data.synthetic.HeatFlow", "shape": attack}, {"_target_": "optax.sgd", "a": path}):
        with pytest.raises(TargetError, match=r"got 'training\.(directory|restore)\.\w+', wanted a class"):
            instantiate(cfg)
    assert not list(tmp_path.iterdir())


def test_find_does_not_call(elsewhere):
    assert find("mine.build", allow=["mine."]) is sys.modules["mine"].build and not BUILT
    with pytest.raises(TargetError, match=r"pde\._target_: got 'mine\.build'"):
        find("mine.build", where="pde")


def test_nothing_is_built_before_everything_is_checked(elsewhere):
    bad = {"_target_": "os.system", "command": "true"}
    cfg = {"_target_": "mine.build", "first": {"_target_": "mine.build"}, "deep": [{"last": bad}]}
    with pytest.raises(TargetError, match=r"config\.deep\[0\]\.last\._target_: got 'os.system'"):
        instantiate(cfg, allow=["mine."])
    assert not BUILT
    cfg["deep"] = []
    with pytest.raises(TargetError, match=r"'mine\.build'.*allow="):
        instantiate(cfg)
    assert instantiate(cfg, allow=["mine."]) == 2


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"_target_": "data.synthetic.HeatFlo"}, "has no 'HeatFlo'"),
        ({"_target_": "pdes.generators.heat.HeatFlow"}, "wanted a name that exists"),
        ({"_target_": "data.synthetic.HeatFlow", "shpe": [8]}, r"'shpe'.*wanted those of HeatFlow\(shape"),
        ({"_target_": "data.synthetic.HeatFlow", "_recursive_": False}, "_recursive_"),
    ],
)
def test_bad_config(cfg, message):
    with pytest.raises(TargetError, match=message):
        instantiate(cfg)


def test_describe_is_the_inverse():
    heat = HeatFlow((16, 8), num_modes=2)
    assert describe(heat)["shape"] == [16, 8]
    assert instantiate(describe({"a": [heat, None, "x"]})) == {"a": (heat, None, "x")}
    with pytest.raises(TargetError, match="plain numbers"):
        describe([heat, os])
