"""Files in the layouts of others come out as they went in, axis by axis; what is wrong with one is said in a line."""

import json

import foreign_files as written
import h5py
import numpy as np
import pytest
import scipy.io
from foreign_files import CASES, N, T

from data.collection import Collection, Selection
from data.conversion import find_or_convert
from data.errors import DataError
from data.foreign import selection_of
from data.points import Box
from data.readers import SOURCES
from data.readers.registry import build_reader
from data.schema import read_metadata


def fields_of(path):
    with h5py.File(path) as file:
        return {name: values[()] for name, values in file["fields"].items()}


def converted(root, case, **selection):
    source, options, write, _ = CASES[case]
    folder = root / "files"
    folder.mkdir()
    made = write(folder)
    return made, find_or_convert(build_reader(source, options), made.paths, selection_of(selection), root / "data")


@pytest.mark.parametrize("case", CASES)
def test_values_come_out_as_they_went_in(tmp_path, case):
    made, path = converted(tmp_path, case)
    metadata, fields = read_metadata(path), fields_of(path)
    assert fields.keys() == made.fields.keys()
    for name, values in made.fields.items():
        np.testing.assert_array_equal(fields[name], values, err_msg=name)
        if made.times is not None and values.shape[1] > 1:
            # Some files hold times in float32.
            np.testing.assert_allclose(metadata.fields[name].times, made.times, rtol=1e-6, atol=1e-7)
    assert metadata.grid_type == CASES[case][3]
    with h5py.File(path) as file:
        for axis, points in zip("xyz", made.coordinates, strict=False):
            np.testing.assert_allclose(file[f"grid/{axis}"][()], points, rtol=1e-6, atol=1e-6)  # float32 in the file
        assert len(file["source/names"]) == len(file["source/sha256"]) == (N if len(file["source/names"]) > 1 else 1)
        assert json.loads(file["source"].attrs["made"])["source"] == CASES[case][0]
    assert not metadata.generator


def test_the_viscosity_of_pdebench_is_what_stands_before_the_second_derivative(tmp_path):
    """Takamoto et al. write Burgers' equation with nu / pi."""
    _, path = converted(tmp_path, "pdebench scalar")
    assert read_metadata(path).parameters == pytest.approx({"nu": 0.01, "viscosity": 0.01 / np.pi})


def test_parameters_of_a_name_alone(tmp_path):
    """Published names leave the digit after the point out, and some files have no attributes."""
    made = written.pdebench_compressible(tmp_path)
    path = made.paths[0].rename(tmp_path / "1D_CFD_Rand_Eta1.e-8_Zeta1.e-8_periodic_Train.hdf5")
    with h5py.File(path, "r+") as file:
        file.attrs.clear()
    assert Collection(build_reader("pdebench"), [path], Selection()).parameters == {"eta": 1e-8, "zeta": 1e-8}


def test_chunks_of_many_samples_are_unpacked_once(tmp_path):
    """MATLAB compresses, and what it calls the first axis is the last in the file."""
    made = written.fno_navier_stokes(tmp_path)
    with h5py.File(made.paths[0], "r+") as file:
        values = file["u"][()]
        del file["u"]
        file.create_dataset("u", data=values, chunks=(1, 6, 8, 5), compression="gzip")
    with build_reader("fno_mat").open(made.paths[0]) as layout:
        whole, pieces = (layout.variables[name].data for name in ("vorticity", "initial_vorticity"))
        assert isinstance(whole._load(), np.ndarray) and isinstance(pieces._load(), h5py.Dataset)
        index = {"n": slice(1, 3), "t": [0, 2]}
        found = layout.variables["vorticity"].read("ntxy", index)
    np.testing.assert_array_equal(found, made.fields["vorticity"][1:3, [0, 2]])


def test_every_source_is_tested():
    assert {source for source, *_ in CASES.values()} | {"own"} == set(SOURCES)


@pytest.mark.parametrize("case", ["fno_mat navier_stokes 7.3", "fno_mat navier_stokes 5", "the_well", "apebench"])
def test_a_selection_is_what_slicing_gives(tmp_path, case):
    strides = (2, 3, 1)[: len(CASES[case][2](tmp_path).coordinates)]
    made, path = converted(tmp_path, case, range=[1, 4], samples=2, times=[0, 1, 3], stride=list(strides))
    space = tuple(slice(None, None, step) for step in strides)
    for name, values in fields_of(path).items():
        whole = made.fields[name][1:3]
        times = [0, 1, 3] if whole.shape[1] > 1 else [0]
        np.testing.assert_array_equal(values, whole[:, times][:, :, *space], err_msg=name)
    box = read_metadata(path).box
    for points, all_points, step in zip(box.coordinates, made.coordinates, strides, strict=True):
        np.testing.assert_allclose(points, all_points[::step], atol=1e-6)


def test_times_as_text_and_chosen_fields(tmp_path):
    made, path = converted(tmp_path, "pdearena", times="1:4:2", fields=["velocity_y", "buoyancy"])
    fields = fields_of(path)
    assert set(fields) == {"velocity_y", "buoyancy"} and read_metadata(path).targets == {"velocity_y": [-1]}
    np.testing.assert_array_equal(fields["velocity_y"], made.fields["velocity_y"][:, 1:4:2])


def test_converted_sets_are_a_source_too(tmp_path):
    """Without the files that they were made from; points, times and parameters stay."""
    made, path = converted(tmp_path, "fno_mat navier_stokes 7.3", times=[1, 3])
    made.paths[0].unlink()
    again = find_or_convert(build_reader("own"), [path, path], Selection(range=(4, 6), stride=2), tmp_path / "data")
    metadata, wanted = read_metadata(again), made.fields["vorticity"][[4, 0]][:, [1, 3], ::2, ::2]
    np.testing.assert_array_equal(fields_of(again)["vorticity"], wanted)
    assert metadata.fields["vorticity"].times == (2.0, 4.0) and metadata.parameters == {"viscosity": 1e-3}
    assert metadata.box == Box((4, 3), (1.0, 1.0), (0.0, 0.0), "periodic")


def test_strided_grids_keep_their_points():
    """A node grid keeps both ends, a cell grid its first point; a periodic one must divide."""
    node = Box((9,), (2.0,), (0.0,), "node").every((4,), "here")
    np.testing.assert_allclose(node.coordinates[0], [0, 1, 2])
    cell = Box((8,), (2.0,), (-1.0,), "cell").every((2,), "here")
    np.testing.assert_allclose(cell.coordinates[0], [-0.875, -0.375, 0.125, 0.625])
    assert node.span == (3.0,) and cell.span == (2.0,)  # points times distance
    with pytest.raises(DataError, match=r"here: got stride 3 for 8 points of a periodic axis, wanted a divisor of 8"):
        Box((8,), (1.0,), (0.0,), "periodic").every((3,), "here")


def put_together(collection, budget):
    """The set from its pieces, and the largest of them in bytes."""
    fields = {
        name: np.full((collection.samples, len(info.times), *collection.box.shape), np.nan, np.float32)
        for name, info in collection.fields.items()
    }
    largest = 0
    for name, start, time, values, _ in collection.pieces(budget):
        fields[name][start : start + len(values), time : time + values.shape[1]] = values
        largest = max(largest, values.nbytes)
    return fields, largest


@pytest.mark.parametrize("budget", [7 * T * 8 * 4 + 5, 2 * 8 * 4 + 1, 1])
def test_pieces_are_as_large_as_asked_however_many_samples(tmp_path, budget):
    """Streaming: what is read at a time does not grow with the file, nor with the length of a trajectory."""
    np.save(tmp_path / "many.npy", u := written.numbers(40, T, 1, 8))
    reader = build_reader("apebench", {"extent": [1]})
    collection = Collection(reader, [tmp_path / "many.npy", tmp_path / "many.npy"], Selection(range=(3, 77)))
    fields, largest = put_together(collection, budget)
    np.testing.assert_array_equal(fields["u"], np.concatenate([u, u])[3:77, :, 0])
    assert largest <= max(budget, 8 * 4)  # one time of one sample is the least


def test_statistics_of_samples_that_are_cut_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(Collection.pieces, "__defaults__", (3 * 8 * 6 * 3 * 4,))  # three times of a field
    made, path = converted(tmp_path, "apebench")
    stats = read_metadata(path).stats["v"]
    # float64 moments of float32 numbers
    np.testing.assert_allclose(stats.mean, made.fields["v"].mean((0, 2, 3, 4), dtype=float), rtol=1e-10)
    np.testing.assert_allclose(stats.max, made.fields["v"].max((0, 2, 3, 4)))
    np.testing.assert_array_equal(fields_of(path)["v"], made.fields["v"])


def test_only_what_is_asked_for_is_read_from_hdf5(tmp_path, monkeypatch):
    """The slices that reach HDF5 hold a block, not a file."""
    made = written.fno_navier_stokes(tmp_path)
    read, original = [], h5py.Dataset.__getitem__

    def spy(self, key):
        values = original(self, key)
        read.append(np.size(values))
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    collection = Collection(build_reader("fno_mat"), made.paths, Selection(times=(0, 3)))
    assert max(read) <= T  # nothing but the times until blocks are asked for
    list(collection.pieces(8 * 6 * 2 * 4))
    assert max(read) == 2 * 8 * 6  # two times of one sample


def test_parameters_that_differ_between_files_become_fields(tmp_path):
    first = written.the_well(tmp_path, 10.0, "a.hdf5")
    second = written.the_well(tmp_path, 20.0, "b.hdf5", seed=9)
    path = find_or_convert(build_reader("the_well"), [tmp_path], Selection(), tmp_path / "data")
    fields, metadata = fields_of(path), read_metadata(path)
    np.testing.assert_array_equal(fields["Reynolds"][:, 0, 0, 0, 0], [10.0] * N + [20.0] * N)
    np.testing.assert_array_equal(
        fields["pressure"], np.concatenate([first.fields["pressure"], second.fields["pressure"]])
    )
    assert "Reynolds" not in metadata.parameters and metadata.parameters["boundary_x"] == "periodic"
    with h5py.File(path) as file:
        assert [name.decode() for name in file["source/names"]] == ["a.hdf5", "b.hdf5"]


def test_converted_once_and_again_when_a_file_changed(tmp_path):
    made, path = converted(tmp_path, "apebench")
    reader = build_reader("apebench", CASES["apebench"][1])
    before = path.stat().st_mtime_ns
    assert find_or_convert(reader, made.paths, Selection(), tmp_path / "data") == path
    assert path.stat().st_mtime_ns == before
    np.save(made.paths[0], 2 * np.load(made.paths[0]))
    assert find_or_convert(reader, made.paths, Selection(), tmp_path / "data") != path
    assert find_or_convert(reader, made.paths, Selection(samples=1), tmp_path / "data") != path


def test_nothing_is_left_of_a_conversion_that_fails(tmp_path):
    made = written.apebench(tmp_path)
    u = np.load(made.paths[0])
    u[3, 2, 1, 0, 0, 0] = np.nan
    np.save(made.paths[0], u)
    reader = build_reader("apebench", CASES["apebench"][1])
    with pytest.raises(
        DataError, match=r"burgers\.npy: got a number that is not finite in field 'v', sample 3, time index 2"
    ):
        find_or_convert(reader, made.paths, Selection(), tmp_path / "data")
    assert [p.name for p in (tmp_path / "data" / "apebench").iterdir()] == [".lock"]
    assert find_or_convert(reader, made.paths, selection_of({"range": [0, 3]}), tmp_path / "data").exists()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rename(old, new):
    def change(path):
        with h5py.File(path, "r+") as file:
            file.move(old, new)

    return change


def put(name, values):
    def change(path):
        with h5py.File(path, "r+") as file:
            del file[name]
            file[name] = values

    return change


def attribute(name, value, holder="/"):
    def change(path):
        with h5py.File(path, "r+") as file:
            file[holder].attrs[name] = value

    return change


def empty(path):
    path.write_bytes(b"")


def version_4(path):
    scipy.io.savemat(path, {"a": np.ones((5, 8)), "u": np.ones((5, 8))}, format="4")


CHANNELS = r"got an array of shape \(3, 4\), wanted \(n, t, channel"
DAMAGES = [
    ("fno_mat navier_stokes 7.3", truncate, r"got (truncated|no HDF5) file of \d+ bytes, wanted an HDF5 file"),
    ("fno_mat navier_stokes 5", truncate, r"got a truncated file of \d+ bytes, wanted \d+ or more"),
    ("fno_mat burgers", empty, r"got no MATLAB file \(0 bytes\), wanted one of version 5 or 7\.3"),
    ("fno_mat burgers", version_4, r"got a file of version 4.* wanted .*; save it .* -v7 or -v7\.3"),
    ("fno_mat darcy", rename("sol", "x"), r"got variables \[.*'coeff'.*\], wanted a, u \(Burgers\)"),
    ("fno_mat darcy", put("sol", np.zeros((3, 4, 5))), r"got sol of shape \(5, 4, 3\), wanted \(5, 8, 6\)"),
    ("pdebench scalar", rename("tensor", "data"), r"an HDF5 file of \['data', .*wanted tensor, density"),
    ("pdebench scalar", put("t-coordinate", np.arange(9.0)), r"got 9 times of 4 snapshots, wanted as many"),
    ("pdebench scalar", put("x-coordinate", np.arange(8.0) ** 2), r"along axis 0, wanted equally spaced points; set"),
    ("pdebench compressible", rename("Vy", "V"), r"got / with .*, wanted a dataset 'Vy'"),
    ("pdebench shallow_water", put("0002/data", np.zeros((4, 8, 5, 1))), r"got 0002/data of shape \(4, 8, 5, 1\)"),
    ("pdebench shallow_water", put("0002/grid/t", np.arange(4.0)), r"got t of 0000 and 0002 that differ"),
    ("pdebench shallow_water", put("0003/grid/x", np.arange(7.0)), r"got 7 x in 0003/grid, wanted 8"),
    ("pdebench scalar", attribute("schema", "spectral-operators"), r"got a set of the schema .*choose the source own"),
    ("the_well", attribute("grid_type", "spherical"), r"got a spherical grid, wanted a Cartesian one"),
    ("the_well", attribute("time_varying", False, "t0_fields/pressure"), r"got t0_fields/pressure of shape"),
    ("the_well", rename("t1_fields", "t3_fields"), r"wanted a group 't1_fields'"),
    ("pdearena", rename("train", "other"), r"got groups \['other'\], wanted one of train, valid, test"),
    ("pdearena", put("train/t", np.arange(20.0).reshape(5, 4)), r"got times that differ between samples"),
    ("apebench", truncate, r"got a damaged file of \d+ bytes"),
    ("apebench", lambda path: np.save(path, np.zeros((0, 4, 2, 8, 6, 3), "f4")), r"got no sample, wanted at least one"),
    ("apebench", lambda path: np.save(path, np.full((5, 4, 2, 8, 6, 3), 1e300)), r"got 1e\+300 in field 'u', samples"),
    ("apebench", lambda path: np.save(path, np.zeros((3, 4))), CHANNELS),
    ("neuraloperator", truncate, r"damaged or no archive of tensors"),
    ("neuraloperator", lambda path: written.torch_save(path, {"a": np.zeros(3, "f4")}), r"\['a'\], wanted x and y"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "damage", "message"), DAMAGES)
def test_what_is_wrong_with_a_file(tmp_path, case, damage, message):
    source, options, write, _ = CASES[case]
    made = write(tmp_path)
    damage(made.paths[0])
    with pytest.raises(DataError, match=message) as caught:
        find_or_convert(build_reader(source, options), made.paths, Selection(), tmp_path / "data")
    text = str(caught.value)
    assert "\n" not in text and text.startswith(str(made.paths[0])) and "; " in text


def test_a_file_that_names_code_is_refused_and_not_run(tmp_path):
    import os
    import pickle
    import zipfile

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    with zipfile.ZipFile(tmp_path / "darcy.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"x": Evil()}))
    with pytest.raises(DataError, match=r"it names posix\.mkdir"):
        Collection(build_reader("neuraloperator"), [tmp_path / "darcy.pt"], Selection())
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("case", "options", "message"),
    [
        ("apebench", {}, "does not say how large its box is, wanted to know; set options.extent"),
        ("apebench", {"extent": [1]}, r"got fields on \(8, 6, 3\) points, wanted as many axes as \(1,\)"),
        ("apebench", {"extent": [1, 1, 1], "channels": ["u"]}, "got 2 channels, wanted a name for each"),
        ("pdebench incompressible", {}, "does not say how large its box is"),
        ("neuraloperator channels", {"channels": True}, "does not say whether its box is periodic"),
    ],
)
def test_what_a_file_does_not_say_is_asked_for(tmp_path, case, options, message):
    source, _, write, _ = CASES[case]
    made = write(tmp_path)
    with pytest.raises(DataError, match=message):
        Collection(build_reader(source, options), made.paths, Selection())


def test_a_boundary_is_asked_for_where_the_name_does_not_say_it(tmp_path):
    made = written.pdebench_compressible(tmp_path)
    path = made.paths[0].rename(tmp_path / "cfd.hdf5")
    with pytest.raises(DataError, match=r"cfd\.hdf5: got a file that does not say whether its box is periodic"):
        Collection(build_reader("pdebench"), [path], Selection())
    assert Collection(build_reader("pdebench", {"grid_type": "cell"}), [path], Selection()).box.grid_type == "cell"


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("pdbench", {}, r"source: got 'pdbench', wanted one of .*; did you mean pdebench\?"),
        (
            "pdebench",
            {"camera": 1},
            r"options: got \['camera'\], wanted some of extent, grid_type, which pdebench takes",
        ),
        ("scalarflow", {"camera": 5}, r"options\.camera: got 5, wanted 0 to 4"),
        ("apebench", {"extent": [0]}, r"options\.extent: got \(0,\), wanted a positive length for every axis"),
        ("apebench", {"extent": [float("inf")]}, r"options\.extent: got \(inf,\), wanted a positive length"),
        ("apebench", {"channels": ["../a/b"]}, r"options\.channels: got \('\.\./a/b',\), wanted a name of letters"),
        ("neuraloperator", {"channels": "no"}, r"options\.channels: got 'no', wanted true or false"),
        ("pdearena", {"split": 5}, r"options\.split: got 5, wanted one of train, valid, test"),
        ("apebench", {"grid_type": "torus"}, r"options\.grid_type: got 'torus', wanted periodic, cell or node"),
    ],
)
def test_bad_sources_and_options(source, options, message):
    with pytest.raises(DataError, match=message):
        build_reader(source, options)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"range": [3, 3]}, "range: got .*wanted two rising whole numbers"),
        ({"range": "all"}, r"range: got 'all', wanted a value such as \[0, 1000\]"),
        ({"range": [0, 9]}, r"got range \[0, 9\] from 1 file\(s\) of 5 samples"),
        ({"samples": 9}, r"got 9 samples of 5 from 1 file\(s\)"),
        ({"samples": 0}, "samples: got 0, wanted a whole number of at least 1"),
        ({"times": [2, 1]}, r"times: got \[2, 1\], wanted rising indices from 0"),
        ({"times": [0, 4]}, r"got times \[0, 4\] in the selection, wanted less than 4"),
        ({"times": "9:"}, "got times 9:: in the selection, wanted some of 4, rising"),
        ({"times": "x:y"}, "times: got 'x:y', wanted FIRST:END"),
        ({"times": "0:4:0"}, "times: got '0:4:0', wanted FIRST:END or FIRST:END:STEP, rising"),
        ({"stride": 3}, "got stride 3 for 8 points of a periodic axis, wanted a divisor of 8"),
        ({"stride": [2]}, r"got stride \[2\], wanted one for each of 3 axes"),
        ({"stride": 0}, "stride: got 0, wanted whole numbers of at least 1"),
        ({"fields": ["w"]}, r"got fields \['w'\] in the selection, wanted some of u, v"),
    ],
)
def test_bad_selections(tmp_path, values, message):
    made = written.apebench(tmp_path)
    with pytest.raises(DataError, match=message):
        Collection(build_reader("apebench", CASES["apebench"][1]), made.paths, selection_of(values))


def test_files_of_different_layouts_are_not_strung_together(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3, 1, 8), "f4"))
    for name, shape, message in (
        ("b", (2, 3, 1, 6), r"b\.npy: got points \(6,\), wanted \(8,\) as in .*a\.npy"),
        ("c", (2, 4, 1, 8), r"c\.npy: got number of times \[4\], wanted \[3\]"),
        ("d", (2, 3, 2, 8), r"d\.npy: got fields \['u_0', 'u_1'\], wanted \['u'\]"),
    ):
        np.save(tmp_path / f"{name}.npy", np.zeros(shape, "f4"))
        with pytest.raises(DataError, match=message):
            reader = build_reader("apebench", {"extent": [1]})
            Collection(reader, [tmp_path / "a.npy", tmp_path / f"{name}.npy"], Selection())


def test_paths_that_hold_nothing(tmp_path):
    for source, path, message in (
        ("pdebench", tmp_path / "none.h5", r"none\.h5: got nothing there, wanted a file or a folder of pdebench"),
        ("pdebench", tmp_path, r"got a folder without them, wanted files \.hdf5 \.h5"),
        ("scalarflow", tmp_path, "got no recordings, wanted folders sim_000000"),
    ):
        with pytest.raises(DataError, match=message):
            Collection(build_reader(source), [path], Selection())


def test_the_record_says_what_was_read(tmp_path):
    made, path = converted(tmp_path, "deep_flow", samples=2)
    with h5py.File(path) as file:
        source = json.loads(file["source"].attrs["made"])
        assert source["source"] == "deep_flow" and source["selection"]["samples"] == 2
        assert int(file["source/bytes"][0]) == sorted(made.paths[0].iterdir())[0].stat().st_size
