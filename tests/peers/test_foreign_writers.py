"""Files that other libraries write and read themselves: ours must find in them what theirs do."""

import warnings

import h5py
import numpy as np
import pytest
from foreign_files import neuraloperator, neuraloperator_channels, numbers, the_well

from data.collection import Selection
from data.conversion import find_or_convert
from data.readers.registry import build_reader
from data.readers.torch_file import open_tensors
from data.schema import read_metadata

pytestmark = pytest.mark.peers


def converted(source, path, root, **options):
    made = find_or_convert(build_reader(source, options), [path], Selection(), root)
    with h5py.File(made) as file:
        return read_metadata(made), {name: values[()] for name, values in file["fields"].items()}


def as_their_dataset_reads(folder, steps):
    """Every trajectory in full: fields by name, (n, t, *space) or (n, *space)."""
    datasets = pytest.importorskip("the_well.data.datasets", reason="the_well is not installed (extra `peers`)")
    found: dict[str, list] = {}
    names = {}
    dataset = datasets.WellDataset(
        path=str(folder), n_steps_input=1, full_trajectory_mode=True, use_normalization=False
    )
    metadata = dataset.metadata
    for order in range(3):
        names.setdefault("input_fields", []).extend(metadata.field_names[order])
        names.setdefault("constant_fields", []).extend(metadata.constant_field_names[order])
    for i in range(len(dataset)):
        sample = dataset[i]
        for place, name in enumerate(names["input_fields"]):
            both = np.concatenate([sample["input_fields"][..., place], sample["output_fields"][..., place]])
            found.setdefault(name, []).append(both)
        for place, name in enumerate(names["constant_fields"]):
            found.setdefault(name, []).append(sample["constant_fields"][..., place].numpy())
    assert all(len(values[0]) == steps for name, values in found.items() if name in names["input_fields"])
    return {name: np.stack(values) for name, values in found.items()}


def check_well(folder, root, steps):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, of versions
        theirs = as_their_dataset_reads(folder, steps)
    _, ours = converted("the_well", folder, root)
    assert theirs.keys() <= ours.keys()
    for name, values in theirs.items():
        values = values if values.ndim == ours[name].ndim else values[:, None]
        np.testing.assert_array_equal(ours[name], values, err_msg=name)


def test_the_file_that_the_well_writes(tmp_path):
    dummy = pytest.importorskip("the_well.utils.dummy_data", reason="the_well is not installed (extra `peers`)")
    (tmp_path / "well").mkdir()
    dummy.write_dummy_data(str(tmp_path / "well" / "dummy.hdf5"))
    metadata, fields = converted("the_well", tmp_path / "well", tmp_path)
    assert metadata.parameters["a"] == 0.25 and metadata.periodic and metadata.shape == (32, 32)
    with h5py.File(tmp_path / "well" / "dummy.hdf5") as file:
        np.testing.assert_array_equal(fields["field_y"], file["t1_fields/field"][..., 1])
        np.testing.assert_array_equal(fields["constant_field"][:, 0], file["t0_fields/constant_field"][()])
        np.testing.assert_array_equal(
            fields["time_varying_scalar"][1, :, 3, 4], file["scalars/time_varying_scalar"][()].astype(np.float32)
        )
    check_well(tmp_path / "well", tmp_path, steps=10)


def test_our_fixture_is_a_file_of_the_well(tmp_path):
    """Constant axes, tensors and constant fields mean to the library what they mean here."""
    (tmp_path / "well").mkdir()
    made = the_well(tmp_path / "well")
    check_well(tmp_path / "well", tmp_path, steps=len(made.times))


def test_tensors_that_torch_saves(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
    x = torch.randn(5, 8, 6)
    saved = {
        "x": x,
        "view": x[1:4, ::2].transpose(1, 2),  # a part of the storage, with strides
        "mask": x > 0,
        "y": x.double(),
        "n": torch.arange(4),
        "h": x.half(),
        "empty": torch.zeros(0, 3),
    }
    torch.save(saved, tmp_path / "set.pt")
    found = open_tensors(tmp_path / "set.pt")
    assert found.keys() == saved.keys()
    for name, values in saved.items():
        assert found[name].dtype == values.numpy().dtype
        np.testing.assert_array_equal(found[name], values.numpy())
    assert not found["x"].flags.writeable


@pytest.mark.parametrize("write", [neuraloperator, neuraloperator_channels])
def test_our_fixtures_are_files_of_torch(tmp_path, write):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
    (path,) = write(tmp_path).paths
    theirs, ours = torch.load(path, weights_only=True), open_tensors(path)
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values.numpy())


def test_the_set_of_neuraloperator_is_what_its_dataset_gives(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
    module = pytest.importorskip("neuralop.data.datasets.pt_dataset", reason="neuraloperator is not installed")
    for name in ("train", "test"):
        torch.save({"x": torch.randn(6, 8, 8) > 0, "y": torch.randn(6, 8, 8)}, tmp_path / f"darcy_{name}_8.pt")
    theirs = module.PTDataset(
        root_dir=tmp_path, dataset_name="darcy", n_train=6, n_tests=[6], batch_size=2, test_batch_sizes=[2],
        train_resolution=8, test_resolutions=[8], encode_input=False, encode_output=False,
    )  # fmt: skip
    _, ours = converted("neuraloperator", tmp_path / "darcy_train_8.pt", tmp_path)
    for i, sample in enumerate(theirs.train_db):
        np.testing.assert_array_equal(ours["permeability"][i], sample["x"].numpy())
        np.testing.assert_array_equal(ours["pressure"][i], sample["y"].numpy())


def test_trajectories_of_exponax(tmp_path):
    """The first space axis is x: a wave along it moves along it."""
    ex = pytest.importorskip("exponax", reason="exponax is not installed (extra `peers`)")
    jax = pytest.importorskip("jax")
    grid = ex.make_grid(2, 1.0, 12)
    start = np.asarray(grid[0:1] * 0 + np.sin(2 * np.pi * grid[0:1]))
    stepper = ex.stepper.Advection(2, 1.0, 12, 0.25, velocity=np.array([1.0, 0.0]))
    trajectory = ex.rollout(stepper, 3, include_init=True)(jax.numpy.asarray(start))
    np.save(tmp_path / "advection.npy", np.asarray(trajectory)[None])
    metadata, fields = converted("apebench", tmp_path / "advection.npy", tmp_path, extent=[1, 1], dt=0.25)
    x = metadata.box.coordinates[0]
    for i, time in enumerate(metadata.fields["u"].times):
        wave = np.sin(2 * np.pi * (x - time))[:, None]
        np.testing.assert_allclose(fields["u"][0, i], np.broadcast_to(wave, (12, 12)), atol=1e-5)  # float32
    assert numbers(1).dtype == fields["u"].dtype
