import errno
import os
import shutil

import h5py
import numpy as np
import pytest

from data import writer
from data.errors import StorageError
from data.generation import ensure
from data.schema import read_metadata
from data.writer import SampleLog, prepare_folder


def samples(start, stop):
    return {"u": np.arange(start, stop, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)}


@pytest.fixture
def log(tmp_path):
    log = SampleLog(tmp_path / "set.h5", {"u": (2, 3)})
    log.append(samples(0, 4))
    log.append(samples(4, 5))
    return log


def reopen(log):
    return SampleLog(log.target, log.shapes)


def test_log_continues(log):
    again = reopen(log)
    assert again.samples == 5
    again.truncate(3)
    again.append(samples(3, 6))
    assert reopen(log).samples == 6
    np.testing.assert_array_equal(reopen(log)._read(0, 6)["u"], samples(0, 6)["u"])


def test_torn_tail_is_cut_off(log):
    with open(log.path, "ab") as file:
        file.write(b"half a record")
    again = reopen(log)
    assert again.samples == 5
    again.append(samples(5, 6))
    np.testing.assert_array_equal(reopen(log)._read(0, 6)["u"], samples(0, 6)["u"])


def test_damaged_record_ends_the_log(log):
    content = bytearray(log.path.read_bytes())
    content[3 * log.sample_bytes + 5] ^= 1
    log.path.write_bytes(content)
    assert reopen(log).samples == 3


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_while_solving_loses_nothing(log, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(StorageError, match=r"set\.h5\.partial.*No space left.*wanted 28 bytes with [\d,]+ free"):
            log.append(samples(5, 6))
    again = reopen(log)
    again.truncate(5)
    again.append(samples(5, 6))
    np.testing.assert_array_equal(reopen(log)._read(0, 6)["u"], samples(0, 6)["u"])


def test_full_disk_while_finishing_loses_nothing(heat, split, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(h5py.Dataset, "__setitem__", full_disk)
        with pytest.raises(StorageError, match="No space left"):
            ensure(heat, split, tmp_path)
    left = sorted(path.suffix for path in (tmp_path / "heat").glob("*"))
    assert left == ["", ".partial", ".partial"]  # the lock and the two logs: no half-written data set
    monkeypatch.setattr("data.generation._solve", None)  # nothing is solved again
    again = ensure(heat, split, tmp_path)
    assert again[12, 10].read_bytes() == files[12, 10].read_bytes()


def test_too_small_disk_is_seen_before_anything_is_done(heat, split, files, log, tmp_path, monkeypatch):
    metadata = read_metadata(files[12, 10])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    monkeypatch.setattr("data.generation._solve", None)
    needed = 22 * 2 * (12 * 10 + 24 * 20) * 4 * 2  # samples, times, points, bytes; the log and the file
    with pytest.raises(StorageError, match=f"1,000 bytes free, wanted {needed:,}"):
        ensure(heat, split, tmp_path)
    with pytest.raises(StorageError, match="1,000 bytes free"):  # HDF5 is not even started
        log.finish(metadata)
    assert log.path.exists()


def test_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def read_only(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:  # root may write where the permissions forbid it
        patch.setattr(writer.tempfile, "TemporaryFile", read_only)
        with pytest.raises(StorageError, match=r"cannot be written \(Read-only file system\).*12 bytes.*SPECTRAL_DATA"):
            prepare_folder(tmp_path, needed=12)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        prepare_folder(tmp_path / "file" / "below", needed=12)


def test_file_system_without_locks(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(writer.fcntl, "flock", no_locks)
    with pytest.raises(StorageError, match="without locks"), writer.exclusive(tmp_path):
        pass
