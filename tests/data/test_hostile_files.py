"""Files that lead elsewhere or promise what they do not hold are refused, and nothing large is allocated for them."""

import contextlib
import json
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from foreign_files import CASES

from data import convert
from data.errors import DataError
from data.guard import inside
from data.readers.hdf5 import member
from data.source import load

FIELD = "fields/temperature"


@contextlib.contextmanager
def little_memory():
    """Asserts that neither Python nor a library below it takes more than some MB, not even for a moment."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def most() -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1])  # KiB

    counted = clear.exists()
    if counted:
        clear.write_text("5")  # the high-water mark begins again at what is in use now
    before = most() if counted else 0
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5e6
    assert not counted or most() - before < 50_000


def moved(file: h5py.File, name: str, link) -> None:
    """The member of that name is now a link."""
    del file[name]
    file[name] = link


def huge(file: h5py.File) -> None:
    """Shapes that agree with each other, of 4 TB, of which no chunk was ever written."""
    del file[FIELD]
    file.create_dataset(FIELD, (10**9, 2, 12, 10), np.float32, chunks=(1, 2, 12, 10), fletcher32=True)
    file[FIELD].attrs["times"] = (0.0, 1.0)
    file.attrs["n_trajectories"] = 10**9


def bomb(file: h5py.File) -> None:
    """Zeros that compress a thousandfold, and one chunk of them."""
    del file[FIELD]
    data = file.create_dataset(FIELD, (10**7, 2, 12, 10), np.float32, chunks=(4, 2, 12, 10), compression="gzip")
    data[:4] = 0
    data.attrs["times"] = (0.0, 1.0)
    file.attrs["n_trajectories"] = 10**7


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((22, 2, 12, 10), np.float32)
    layout[...] = h5py.VirtualSource("/etc/passwd", FIELD, (22, 2, 12, 10))
    del file[FIELD]
    file.create_virtual_dataset(FIELD, layout)


def outside(file: h5py.File) -> None:
    """Raw bytes of any file on the machine as numbers."""
    del file[FIELD]
    file.create_dataset(FIELD, (22, 2, 12, 10), np.float32, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def replaced(name: str, values):
    def edit(file: h5py.File) -> None:
        del file[name]
        file[name] = values

    return edit


def attribute(name: str, value):
    return lambda file: file.attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: moved(f, FIELD, h5py.ExternalLink("/etc/passwd", "/a")),
            "link into the file '/etc/passwd' at /fields/t",
        ),
        (
            lambda f: moved(f, "fields", h5py.ExternalLink("other.h5", "/fields")),
            "link into the file 'other.h5' at /fields",
        ),
        (lambda f: moved(f, "stats", h5py.SoftLink("/fields")), "a link to '/fields' at /stats"),
        (lambda f: moved(f, "grid/x", h5py.SoftLink("/nowhere")), "a link to '/nowhere' at /grid/x"),
        (virtual, "values that lie in another file at /fields/temperature"),
        (outside, "values that lie in another file at /fields/temperature"),
        (huge, r"\(1000000000, 2, 12, 10\) values in 0 bytes .*wanted 960,000,000,000 bytes"),
        (bomb, r"\(10000000, 2, 12, 10\) values in \d+ bytes"),
        (replaced(FIELD, np.array([b"x"] * 3)), r"values of type \|S1"),
        (replaced("grid/x", h5py.Empty("f4")), "a dataset without a shape at /grid/x"),
        (replaced("stats/temperature/mean", 3.0), "header of wrong types"),
        (replaced("stats/temperature/mean", np.zeros((2, 2))), "header of wrong types"),
        (attribute("n_trajectories", "many"), "header of wrong types .*'many'"),
        (attribute("n_trajectories", -22), "got -22 samples"),
        (attribute("n_spatial_dims", 10**9), "wrong types|nothing at"),
        (attribute("extent", (1.0, np.nan)), r"sides \(1\.0, nan\)"),
        (attribute("extent", (1.0,)), "of 2 axes"),
        (attribute("grid_type", "triangles"), "'triangles' points"),
        (replaced("stats/temperature/std", np.array([np.nan, 1.0])), "wanted finite numbers"),
        (replaced("stats/temperature/std", np.array([-1.0, 1.0])), "wanted finite numbers"),
        (lambda f: f[FIELD].attrs.__setitem__("times", (1.0, 0.0)), "wanted rising ones"),
        (lambda f: f[FIELD].attrs.__setitem__("times", (0.0, np.nan)), "wanted rising ones"),
        (attribute("seed", 2**40), "got seed 1099511627776"),
    ],
)
def test_refused_in_one_line_without_memory(copy, damage, message):
    with h5py.File(copy, "r+") as file:
        damage(file)
    with little_memory():
        with pytest.raises(DataError, match=message) as caught:
            load(copy)
        assert "\n" not in str(caught.value) and "wanted" in str(caught.value) and str(copy) in str(caught.value)


def test_one_more_attribute_of_the_root_harms_nobody(copy):
    with h5py.File(copy, "r+") as file:
        file.attrs["times"] = 0.0
    assert len(load(copy)) == 22


def lengthened(array: bytes) -> bytes:
    """A NumPy file whose header says that its first axis is a hundred million times as long."""
    start, end = array.index(b"{"), array.index(b"\n") + 1
    header = array[start:end].replace(b"'shape': (", b"'shape': (100000000").rstrip()
    return array[:start] + header.ljust(end - start - 1) + b"\n" + array[end:]


def hostile(path: Path) -> None:
    """The largest array of a file is now one of billions of numbers, of which next to nothing is stored."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            arrays = {member.filename: archive.read(member) for member in archive.infolist()}
        name = max(arrays, key=lambda name: len(arrays[name]))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in arrays.items():
                archive.writestr(member, lengthened(content) if member == name else content)
    elif path.suffix == ".npy":
        path.write_bytes(lengthened(path.read_bytes()))
    else:
        with h5py.File(path, "r+") as file:
            found = []
            file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
            name = max(found, key=lambda name: file[name].size)
            old, attributes = file[name].shape, dict(file[name].attrs)
            del file[name]
            made = file.create_dataset(name, (10**9, *old[1:]), np.float32, chunks=(1, *old[1:]))
            made.attrs.update(attributes)


# MATLAB files of version 5 and those of torch say how long they are in other ways: test_readers.
@pytest.mark.parametrize("case", sorted(set(CASES) - {
    "fno_mat navier_stokes 5", "fno_mat burgers", "neuraloperator", "neuraloperator channels"
}))  # fmt: skip
def test_every_reader_refuses_far_more_than_is_stored(tmp_path, case):
    source, options, write, _ = CASES[case]
    (tmp_path / "files").mkdir()
    made = write(tmp_path / "files")
    path = next(file for file in sorted((tmp_path / "files").rglob("*")) if file.is_file())
    hostile(path)
    line = [source, *map(str, made.paths), "--output", str(tmp_path / "out.h5")]
    line += [f"--option={name}={json.dumps(value)}" for name, value in options.items()]
    with little_memory(), pytest.raises(SystemExit, match=r"^error: .*got [^\n]*wanted [^\n]*$") as caught:
        convert.main(line)
    assert str(made.paths[0]) in str(caught.value) and not (tmp_path / "out.h5").exists()


def test_readers_of_other_layouts_are_guarded_too(tmp_path):
    path = tmp_path / "foreign.hdf5"
    with h5py.File(path, "w") as file:
        file["tensor"] = h5py.ExternalLink("elsewhere.h5", "/tensor")
        file.create_dataset("density", (10**6, 100, 100), np.float32)
    with h5py.File(path) as file:
        with pytest.raises(DataError, match=r"link into the file 'elsewhere\.h5' at /tensor"):
            member(file, "tensor")
        with pytest.raises(DataError, match=r"\(1000000, 100, 100\) values in 0 bytes at /density"):
            member(file, "density")


def test_chunks_that_unpack_to_far_more_than_their_values(tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("u", (2, 3), np.float32, chunks=(2**13, 2**13), maxshape=(None, None), compression="gzip")
        file["nothing"] = h5py.Empty("f4")
        with pytest.raises(DataError, match=r"chunks of \(8192, 8192\) for values of shape \(2, 3\)"):
            member(file, "u")
        with pytest.raises(DataError, match="a dataset without a shape at /nothing"):
            member(file, "nothing")


def linked(file: h5py.File) -> None:
    file["a"] = h5py.ExternalLink("elsewhere.h5", "/a")


def unwritten(file: h5py.File) -> None:
    file["a"], file["u"] = np.ones((8, 8, 2)), np.ones((3, 8, 8, 2))
    file.create_dataset("t", (10**9, 1), np.float64)


def text(file: h5py.File) -> None:
    file["a"], file["u"], file["t"] = np.full((8, 8, 2), b"x"), np.ones((3, 8, 8, 2)), np.arange(3.0)


@pytest.mark.parametrize("damage", [linked, unwritten, text])
def test_matlab_files_are_guarded_too(tmp_path, monkeypatch, capsys, damage):
    path = tmp_path / "set.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        damage(file)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + bytes([0, 2]) + b"IM"
    path.write_bytes(head + path.read_bytes()[len(head) :])
    with pytest.raises(SystemExit, match=r"^error: .*set\.mat: got .*wanted [^\n]*$"):
        convert.main(["fno_mat", str(path), "--output", str(tmp_path / "out.h5")])
    assert not (tmp_path / "out.h5").exists()


def test_a_malformed_file_is_one_line(tmp_path):
    path = tmp_path / "set.hdf5"
    with h5py.File(path, "w") as file:
        file["tensor"], file["x-coordinate"], file["t-coordinate"] = np.ones((2, 3, 16)), np.arange(16.0), 1.0
    with pytest.raises(SystemExit, match=r"^error: .*set\.hdf5: got [^\n]*wanted [^\n]*$"):
        convert.main(["pdebench", str(path), "--output", str(tmp_path / "out.h5")])


def test_what_is_written_well_passes(tmp_path):
    """Compressed, contiguous, chunked past its end, scalar and empty: none of them is suspicious."""
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file.create_dataset("zeros", data=np.zeros((2**20, 2)), compression="gzip", compression_opts=9)
        file.create_dataset("contiguous", data=np.ones((2**19,)))
        file.create_dataset("chunked", data=np.ones((1025, 300)), chunks=(1024, 7))
        file.create_dataset("half", data=np.ones((2**20,), np.float16), shuffle=True)
        file["scalar"], file["a/b/c"] = 1.0, np.arange(3)
        for name in ("zeros", "contiguous", "chunked", "half", "scalar", "a/b/c"):
            member(file, name)
        assert inside(file, "a/b/nothing") is None and inside(file, "scalar/below") is None
