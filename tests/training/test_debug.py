"""The debug configs run on whatever devices there are."""

import json

import pytest
from hydra import compose, initialize_config_module

from training.build import for_devices
from training.config import parse, register
from training.run import run

SMALL = (
    "data.splits.train.resolutions=[[16,16]]",
    "operator.n_modes=[6,6]",
    "operator.hidden_channels=8",
    "operator.n_layers=1",
)


def composed(*overrides):
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", [*overrides, *SMALL])


def test_smoke_takes_two_steps_on_a_mesh_that_its_batch_does_not_divide(tmp_path):
    place = (f"output={tmp_path}", f"data.root={tmp_path}", "run_id=smoke", "plots=false", "mesh.data=3")
    run(composed("experiment=ns_tfno", "debug=smoke", *place))
    result = json.loads((tmp_path / "smoke" / "result.json").read_text())
    assert result["steps"] == 2 and result["devices"].startswith("3 x ")


def test_another_mesh_is_another_run(tmp_path):
    place = (f"output={tmp_path}", f"data.root={tmp_path}", "run_id=both", "plots=false")
    run(composed("experiment=ns_tfno", "debug=smoke", *place, "mesh.data=1"))
    with pytest.raises(ValueError, match=r"(?s)run_id: got both.*-  batch_size: 2\n\+  batch_size: 4"):
        run(composed("experiment=ns_tfno", "debug=smoke", *place, "mesh.data=2"))


@pytest.mark.parametrize(("debug", "batch", "samples"), [("smoke", 2, 4), ("overfit", 4, 4)])
def test_batch_and_training_set_grow_with_the_devices(debug, batch, samples):
    settings, _ = parse(composed("experiment=ns_tfno", f"debug={debug}"))
    for devices in (1, 5):
        data = for_devices(settings, devices).data
        assert data["batch_size"] == batch * devices and data["splits"]["train"]["samples"] == samples * devices
    usual, _ = parse(composed("experiment=ns_tfno"))
    assert for_devices(usual, 5) == usual
