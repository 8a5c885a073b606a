import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from data import generation, solving
from data.errors import DataError
from data.generation import ensure
from data.schema import read_metadata
from data.source import load
from data.splits import SplitSpec
from data.synthetic import HeatFlow

ROOT = Path(__file__).resolve().parents[2]
SMALL = (12, 10)


def arrays(path):
    samples = load(path)
    return samples.x, samples.y


def same(path, other):
    return all(np.array_equal(a, b) for a, b in zip(arrays(path), arrays(other), strict=True))


def test_solution_is_the_heat_flow(heat, files):
    x, y = arrays(files[24, 20])
    decay = np.exp(-heat.diffusivity * heat.grid.wavenumber_squared * heat.time)[..., None]
    wanted = np.fft.irfftn(np.fft.rfftn(x.astype(float), axes=(1, 2)) * decay, (24, 20), axes=(1, 2))
    # x and y were each rounded to float32.
    np.testing.assert_allclose(y, wanted, atol=2e-7)
    assert 0.1 < x.std() < 1


def test_resolutions_hold_the_same_samples(files):
    """The initial fields have 3 modes per axis, so both grids resolve them exactly."""
    for fine, coarse in zip(arrays(files[24, 20]), arrays(files[SMALL]), strict=True):
        np.testing.assert_allclose(fine[:, ::2, ::2], coarse, atol=1e-7)  # float32 rounding


def test_found_again(heat, split, files, monkeypatch):
    monkeypatch.setattr(generation, "_generate", None)
    root = files[SMALL].parents[1]
    assert ensure(heat, split, root) == files
    monkeypatch.setenv("SPECTRAL_DATA", str(root))
    assert ensure(heat, split) == files


def test_a_new_version_of_the_solver_makes_its_own_file(heat, tmp_path, monkeypatch):
    few = SplitSpec("train", 2, 7, (SMALL,))
    old = ensure(heat, few, tmp_path)[SMALL]
    monkeypatch.setattr(HeatFlow, "version", 2)
    new = ensure(heat, few, tmp_path)[SMALL]
    assert new != old and [read_metadata(path).generator_version for path in (old, new)] == [1, 2]


def test_replaced_file_is_noticed(heat, split, files, tmp_path):
    for shape, path in files.items():
        target = tmp_path / "heat" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(files[24, 20].read_bytes() if shape == SMALL else path.read_bytes())
    with pytest.raises(DataError, match="content key"):
        ensure(heat, split, tmp_path)


@pytest.mark.parametrize("devices", [1, 3, 8])
def test_bits_do_not_depend_on_the_devices(heat, split, files, tmp_path, devices):
    again = ensure(heat, split, tmp_path, devices=jax.devices()[:devices])
    assert all(again[shape].read_bytes() == files[shape].read_bytes() for shape in files)


def test_bits_do_not_depend_on_the_cores(heat, split, files, tmp_path, monkeypatch):
    """Five rounds by three threads, of which early ones finish late."""
    solve, working = generation._solve, []
    together = threading.Barrier(3)

    def slow(solver, split, start):
        working.append(start)
        if start < 12:
            together.wait(timeout=60)  # passes only where three rounds are at work at a time
            time.sleep(0.2 - start / 60)
        return solve(solver, split, start)

    monkeypatch.setattr(generation, "_solve", slow)
    monkeypatch.setattr(solving, "_threads", lambda platform: 3)
    again = ensure(heat, split, tmp_path, devices=jax.devices()[:1])
    assert sorted(working) == [0, 4, 8, 12, 16, 20]
    assert all(again[shape].read_bytes() == files[shape].read_bytes() for shape in files)


def test_a_failed_round_keeps_those_before_it(heat, split, files, tmp_path, monkeypatch):
    """By three threads; nothing runs on after the error."""
    solve = generation._solve

    def failing(solver, split, start):
        if start == 8:
            raise MemoryError
        return solve(solver, split, start)

    monkeypatch.setattr(solving, "_threads", lambda platform: 3)
    before = threading.active_count()
    with monkeypatch.context() as broken, pytest.raises(MemoryError):
        broken.setattr(generation, "_solve", failing)
        ensure(heat, split, tmp_path, devices=jax.devices()[:1])
    assert threading.active_count() == before
    starts = []
    monkeypatch.setattr(generation, "_solve", lambda *arguments: starts.append(arguments[-1]) or solve(*arguments))
    again = ensure(heat, split, tmp_path, devices=jax.devices()[:1])
    assert min(starts) == 8
    assert all(again[shape].read_bytes() == files[shape].read_bytes() for shape in files)


def test_samples_depend_on_their_index_alone(heat, files, tmp_path):
    few = ensure(heat, SplitSpec("other", 5, seed=7, resolutions=(SMALL,)), tmp_path)
    assert np.array_equal(arrays(few[SMALL])[0], arrays(files[SMALL])[0][:5])
    different = ensure(heat, SplitSpec("other", 5, seed=8, resolutions=(SMALL,)), tmp_path)
    both = np.concatenate([arrays(different[SMALL])[0], arrays(files[SMALL])[0]])
    assert len(np.unique(both.reshape(5 + 22, -1), axis=0)) == 5 + 22


def test_interrupted_and_continued(heat, split, files, tmp_path, monkeypatch):
    """Interrupted after every round, continued on another number of devices: the same bytes."""
    solve, starts, rounds = generation._solve, [], 1

    def few_rounds(solver, split, start):
        if len(starts) == rounds:
            raise KeyboardInterrupt
        starts.append(start)
        return solve(solver, split, start)

    monkeypatch.setattr(generation, "_solve", few_rounds)
    for devices in (1, 2, 1):
        with pytest.raises(KeyboardInterrupt):
            ensure(heat, split, tmp_path, devices=jax.devices()[:devices])
        rounds += 1
    again = ensure(heat, split, tmp_path)
    assert starts == [0, 4, 12, 16]  # nothing is solved twice
    assert all(again[shape].read_bytes() == files[shape].read_bytes() for shape in files)


def test_added_resolution_makes_only_that_file(heat, split, files, tmp_path):
    first = ensure(heat, dataclasses.replace(split, resolutions=(SMALL,)), tmp_path)
    stamp = first[SMALL].stat().st_mtime_ns
    both = ensure(heat, split, tmp_path)
    assert both[SMALL].stat().st_mtime_ns == stamp
    assert same(both[24, 20], files[24, 20])


def run(root, code=""):
    """Another process that makes 400 samples on one device."""
    program = (
        "from data.generation import ensure; from data.splits import SplitSpec; from data.synthetic import HeatFlow\n"
        f"{code}\nensure(HeatFlow((24, 20), num_modes=3), SplitSpec('train', 400, 7, ((12, 10),)), {str(root)!r})"
    )
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        "JAX_PLATFORMS": "cpu",
    }
    return subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=subprocess.PIPE, text=True)


def test_killed_while_writing(heat, tmp_path):
    """kill -9 with samples on the disk, then two processes at once: one continues, the other waits for it."""
    slow = "import os, time; sync = os.fsync; os.fsync = lambda f: (sync(f), time.sleep(0.05))"
    victim = run(tmp_path, slow)
    log = tmp_path / "heat"
    deadline = time.monotonic() + 120
    while not any(p.stat().st_size > 20_000 for p in log.glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    (partial,) = log.glob("*.partial")
    assert not list(log.glob("*.h5"))
    with open(partial, "ab") as file:
        file.write(b"torn")

    pair = [run(tmp_path), run(tmp_path)]
    said = [process.communicate(timeout=200)[1] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    starts = [line for text in said for line in text.splitlines() if line.endswith("samples")]
    assert len(starts) == 1 and " 0/400" not in starts[0], said
    assert not list(log.glob("*.partial*"))
    fresh = ensure(heat, SplitSpec("train", 400, 7, (SMALL,)), tmp_path / "fresh", devices=jax.devices()[:1])
    (made,) = log.glob("*.h5")
    assert same(made, fresh[SMALL])


@dataclasses.dataclass(frozen=True)
class Unstable(HeatFlow):
    """Leaves the finite numbers where the initial field is larger than a threshold."""

    threshold: float = 0.0

    def __call__(self, key):
        made = super().__call__(key)["temperature"]
        return {"temperature": made * jax.numpy.where(made[0].max() > self.threshold, jax.numpy.inf, 1.0)}


def test_not_finite_names_the_sample(heat, files, tmp_path):
    peaks = arrays(files[24, 20])[0].max((1, 2, 3))
    threshold = float(np.sort(peaks)[-2] + np.sort(peaks)[-1]) / 2
    bad = Unstable(heat.shape, num_modes=heat.num_modes, threshold=threshold)
    first = int(peaks.argmax())
    with pytest.raises(FloatingPointError, match=f"temperature that is not finite in sample {first} .seed 7"):
        ensure(bad, SplitSpec("train", 22, 7, (SMALL,)), tmp_path, devices=jax.devices()[:1])
    assert not list((tmp_path / "heat").glob("*.h5"))


@pytest.mark.parametrize("shape", [(15,), (10, 9, 12)])
def test_other_dimensions(shape, tmp_path):
    split = SplitSpec("train", 3, 0, (tuple(n - 2 for n in shape),))
    ((stored, path),) = ensure(HeatFlow(shape, num_modes=3), split, tmp_path, devices=jax.devices()[:1]).items()
    samples = load(path)
    assert samples.x.shape == (3, *stored, 1) and samples.metadata.ndim == len(shape)


def test_resolution_that_the_solver_grid_does_not_hold(heat, tmp_path):
    with pytest.raises(DataError, match=r"got \(32, 20\), wanted at most \(24, 20\).*pde\.shape=\[32, 20\]"):
        ensure(heat, SplitSpec("train", 3, 0, ((32, 20),)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_tpu_leaves_solving_to_the_cpu(monkeypatch):
    """Stand-ins for the devices: no machine of the tests has one to try."""
    found = {None: jax.devices()[:1], "cpu": jax.devices()[1:]}
    monkeypatch.setattr(jax, "local_devices", lambda backend=None: found[backend])
    for backend, wanted in (("cpu", None), ("gpu", None), ("tpu", "cpu")):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert solving.solving_devices() == found[wanted]

    def absent(backend=None):
        raise RuntimeError("Unknown backend cpu")

    monkeypatch.setattr(jax, "local_devices", absent)
    with pytest.raises(DataError, match=r"got a TPU alone.*Unknown backend cpu.*JAX_PLATFORMS=tpu,cpu"):
        solving.solving_devices()


@dataclasses.dataclass(frozen=True)
class Traced(HeatFlow):
    """Evaluates an array while it is traced, and notes where."""

    def __call__(self, key):
        with jax.ensure_compile_time_eval():
            PLACES.append(jax.numpy.ones(2).devices())
        return super().__call__(key)


PLACES = []


def test_constants_are_made_on_the_solving_devices(tmp_path):
    """On another than the default device: beside a TPU that would refuse them."""
    last = jax.devices()[-1]
    ensure(Traced((12, 10), num_modes=3), SplitSpec("train", 2, 0, (SMALL,)), tmp_path, devices=[last])
    assert PLACES and all(place == {last} for place in PLACES)


@pytest.mark.parametrize(
    ("points", "platform", "size"),
    [(64**2, "cpu", 4), (512**2, "cpu", 1), (64**2, "gpu", 256), (256**2, "tpu", 64), (4096**2, "gpu", 1)],
)
def test_batch_size(points, platform, size):
    assert solving.batch_size(points, platform) == size


def test_a_set_larger_than_what_goes_unquestioned(tmp_path):
    """While it is written it promises more than it has stored, which only a file that is read may not."""
    shape = (64, 64)
    path = ensure(HeatFlow(shape, num_modes=3), SplitSpec("train", 48, 7, (shape,)), tmp_path)[shape]
    assert path.stat().st_size > 2**20 and load(path).x.shape == (48, 64, 64, 1)
