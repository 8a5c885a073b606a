"""`data=foreign`: published files are found, converted once and trained on as any set."""

import json
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from foreign_files import cells, matlab_73, numbers, periodic
from hydra import compose, initialize_config_module

from data.errors import DataError
from training import build
from training.check import check_components
from training.config import parse, register
from training.evaluate import Evaluation, evaluate
from training.run import run
from training.trained import load_run

SMALL = ("operator.hidden_channels=8", "operator.n_layers=1", "plots=false", "mesh.data=1")


def composed(place: Path, *more: str):
    register()
    given = [f"data.root={place / 'data'}", f"output={place}", *SMALL, *more]
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", overrides=["data=foreign", *given])


def flows(folder: Path, name: str = "ns_V1e-3_N12_T3.mat", n: int = 16, samples: int = 12) -> str:
    matlab_73(
        folder / name, {"a": numbers(samples, n, n), "u": numbers(samples, n, n, 3), "t": np.arange(1.0, 4)[None]}
    )
    return str(folder / name)


def split(name: str, path: str, *rows: int) -> list[str]:
    span = [f"data.splits.{name}.range=[{rows[0]},{rows[1]}]"] if rows else []
    return [f"data.splits.{name}.paths=[{path}]", *span]


def navier_stokes(place: Path) -> list[str]:
    path = flows(place)
    fine = flows(place, "fine.mat", 32, 3)
    return [
        "experiment=ns_fno", "data.source=fno_mat", "operator.n_modes=[6,6]", *split("train", path, 0, 6),
        *split("valid", path, 6, 8), *split("test", path, 8, 12), "+data.splits.fine={paths: [" + fine + "]}",
    ]  # fmt: skip


def test_matlab_files_smoke_end_to_end(tmp_path):
    given = [*navier_stokes(tmp_path), "debug=smoke", "run_id=smoke"]
    run(composed(tmp_path, *given))
    result = json.loads((tmp_path / "smoke" / "result.json").read_text())
    assert result["steps"] == 2 and np.isfinite(result["fine_32x32/rel_h1"])
    config = (tmp_path / "smoke" / "config.yaml").read_text()
    assert "pde: {}" in config  # the experiment's equation has no part in this run
    # Another resolution is another file; the operator alone needs no files at all.
    assert np.isfinite(evaluate(Evaluation(run=str(tmp_path / "smoke"), devices=1, split="valid"))["valid/rel_l2"])
    with pytest.raises(ValueError, match="resolution: got one for files of others"):
        evaluate(Evaluation(run=str(tmp_path / "smoke"), devices=1, resolution=32))
    for path in tmp_path.glob("*.mat"):
        path.unlink()
    trained = jax.jit(load_run(tmp_path / "smoke").__call__)
    assert trained(np.zeros((1, 16, 16, 1), np.float32)).shape == (1, 16, 16, 1)


def test_a_bounded_one_dimensional_set_streams(tmp_path):
    """PDEBench's compressible flow between open ends: several fields in and out, read from the file while training."""
    path, x = tmp_path / "1D_CFD_Rand_Eta0.1_Zeta0.1_trans_Train.hdf5", cells(32, -1, 1)
    with h5py.File(path, "w") as file:
        for i, name in enumerate(("density", "pressure", "Vx")):
            file[name] = numbers(8, 5, 32, seed=i)
        file["x-coordinate"], file["t-coordinate"] = x, np.linspace(0, 1, 6)
    maps = "{density: [0, 1], pressure: [0]}", "{density: [2], velocity_x: [-1]}"
    run(
        composed(
            tmp_path, "experiment=burgers_fno", "data.source=pdebench", "operator.n_modes=[8]", "run_id=cfd",
            *split("train", str(path), 0, 6), *split("test", str(path), 6, 8), "data.stride=2", "data.loader=stream",
            f"data.inputs={maps[0]}", f"data.targets={maps[1]}", "data.batch_size=3", "trainer.epochs=1",
        )
    )  # fmt: skip
    result = json.loads((tmp_path / "cfd" / "result.json").read_text())
    assert result["steps"] == 2 and np.isfinite(result["test/rel_l2"])
    trained = jax.jit(load_run(tmp_path / "cfd").__call__)
    assert trained(np.zeros((1, 16, 3), np.float32)).shape == (1, 16, 2)


def test_what_is_trained_on_is_what_the_file_holds(tmp_path):
    settings, _ = parse(composed(tmp_path, *navier_stokes(tmp_path), "data.times=[0,2]"))
    check_components(settings)
    sets = build.build_datasets(settings)
    a, u = numbers(12, 16, 16), numbers(12, 16, 16, 3)
    assert sets.train.samples is not None
    np.testing.assert_array_equal(sets.train.samples.x[..., 0], a[:6])
    np.testing.assert_array_equal(sets.test["test"].y[..., 0], u[8:, ..., 2])
    assert sets.train.metadata.parameters == {"viscosity": 1e-3} and sets.train.metadata.periodic
    np.testing.assert_array_equal(sets.train.metadata.box.coordinates[0], periodic(16))


def test_a_node_grid_takes_differences_over_its_spacing(tmp_path):
    """A line over nodes has a slope; the relative H1 error knows the distance of the points."""
    n = 9
    x = np.broadcast_to(np.linspace(0, 1, n)[None, :, None], (4, n, n))
    matlab_73(tmp_path / "darcy.mat", {"coeff": np.ones((4, n, n)), "sol": x})
    given = ["experiment=darcy_tfno", "data.source=fno_mat", "operator.n_modes=[4,4]"]
    settings, _ = parse(composed(tmp_path, *given, *split("train", str(tmp_path / "darcy.mat"))))
    train = build.build_datasets(settings).train
    assert train.metadata.extent == (1.0, 1.0) and train.metadata.grid_type == "node"
    span = train.metadata.box.span[0]
    assert train.samples is not None
    slope = np.diff(train.samples.y[0, :, 0, 0]) / (span / n)
    np.testing.assert_allclose(slope, 1.0, rtol=1e-5)  # float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], r"data\.splits: got none, wanted at least one, such as"),
        (["data.splits.train.paths=[{path}]", "data.splits.test.paths=[{path}]"], r"test: got sample 0 of .*training"),
        (["data.splits.train.paths=[{path}]", "+data.splits.train.seed=3"], r"train\.seed: got 3, wanted none: files"),
        (["data.splits.train.paths=[{path}]", "+data.splits.train.path=3"], r"train: got unknown keys \['path'\]"),
        (["data.splits.train.paths={path}"], r"splits\.train\.paths: got '.*', wanted files or folders, such as"),
        (["data.splits.train.paths=[{path}]", "data.inputs={{w: [0]}}"], r"data\.inputs: got field 'w' in a field map"),
        (["data.splits.train.paths=[{path}]", "data.times=[0,9]"], r"got times \[0, 9\] in the selection"),
        (["data.splits.train.paths=[{path}]", "+data.sorce=x"], r"data: got unknown key 'sorce', .*did you mean"),
        (["data.splits.train.paths=[{path}]", "data.source=fno"], r"source: got 'fno', wanted one of .*fno_mat\?"),
        (["data.splits.train.paths=[{path}]", "+data.options.dt=1"], r"options: got \['dt'\], wanted some of extent"),
        (["data.splits.train.paths=[{path}]", "operator.n_modes=[4]"], r"got 1 space axes, wanted 2 as in the data"),
        (["data.splits.train.paths=[{path}]", "data.loader=online"], r"data\.loader: got online for files of others"),
        (["data.splits.train.paths=[{path}]", "loss=pino"], r"wanted states of an autonomous flow"),
    ],
)
def test_bad_configs_stop_before_anything_is_converted(tmp_path, change, message):
    path = flows(tmp_path)
    given = [line.format(path=path) for line in change]
    cfg = composed(tmp_path, "experiment=ns_fno", "data.source=fno_mat", "operator.n_modes=[4,4]", *given)
    with pytest.raises((DataError, ValueError), match=message):
        check_components(parse(cfg)[0])
    assert not (tmp_path / "data").exists()
