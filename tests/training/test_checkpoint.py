"""Checkpoints: what is read is what was written, on any devices, whatever happened in between."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from orbax.checkpoint import v1 as ocp

from training.checkpoint import Checkpointer
from training.checksum import checksums
from training.preemption import stop_on_signal
from training.restore import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointMismatchError,
    flatten,
    nest,
    resolve,
    restore,
    saved_steps,
    scores,
)

ROOT = Path(__file__).parents[2]


def best_step(directory):
    return next(iter(scores(directory)))


@pytest.fixture
def mesh():
    return jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))


def noise(step):
    """An array large and random enough to lie in a file of its own, uncompressed."""
    return jnp.asarray(np.random.default_rng(int(step)).standard_normal(4096), jnp.float32)


def make_state(step=0.0, width=4):
    params = {
        "lift": {"w": jnp.full((3, width), step, jnp.float32)},
        "blocks": {0: noise(step), 1: jnp.ones(2, bool)},
    }
    return {"params": params, "loader": {"step": int(step)}}


def save(directory, *steps, **options):
    with Checkpointer(directory, config={}, **options) as checkpointer:
        for step in steps:
            checkpointer.save(step, make_state(step))


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (name, x), y in zip(flatten(a).items(), flatten(b).values(), strict=True):
        assert type(x) is type(y), name
        if jnp.issubdtype(getattr(x, "dtype", None) or np.float32, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype, name
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y), err_msg=name)


def worker(*arguments):
    """The tests' helper program in a process of its own."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"] + " --xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
    }
    program = Path(__file__).with_name("checkpoint_worker.py")
    return subprocess.Popen(
        [sys.executable, str(program), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


class TestRoundTrip:
    def test_every_kind_of_leaf(self, tmp_path):
        params = {
            "w": jax.random.normal(jax.random.key(1), (5, 3)),
            "half": jnp.linspace(0, 1, 4, dtype=jnp.bfloat16),
            "complex": jnp.asarray([1 + 2j, -0.0j], jnp.complex64),
            "nan": jnp.asarray([jnp.nan, -0.0]),
            "layers": {0: jnp.ones(2), 1: jnp.zeros(2, jnp.int8)},
        }
        state = {
            "params": params,
            "opt": optax.chain(optax.clip(1.0), optax.adamw(1e-3)).init(params),
            "rng": jax.random.key(7),
            "loader": {"epoch": 3, "done": True, "exact": np.float64(0.1) * np.ones(2), "big": 2**40},
        }
        config = {"model": {"n_modes": [4, 4]}}
        with Checkpointer(tmp_path / "c", config=config) as checkpointer:
            assert checkpointer.restore(state) is None
            assert checkpointer.save(5, state, metrics={"loss": 0.25})
            restored = checkpointer.restore(jax.tree.map(lambda x: x, state))
        assert (restored.step, restored.metrics, restored.config) == (5, {"loss": 0.25}, config)
        assert_same(restored.state, state)

    def test_any_mesh(self, tmp_path, mesh):
        sharded, replicated = jax.NamedSharding(mesh, jax.P("data")), jax.NamedSharding(mesh, jax.P())
        values = np.arange(32, dtype=np.float32).reshape(16, 2)
        with Checkpointer(tmp_path, config={}) as checkpointer:
            checkpointer.save(1, {"p": {"a": jax.device_put(values, sharded), "b": jax.device_put(values, replicated)}})
        small = jax.make_mesh((2, 2), ("x", "y"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
        for target in (sharded, replicated, jax.NamedSharding(small, jax.P("y", "x")), None):
            leaf = jax.ShapeDtypeStruct((16, 2), jnp.float32, sharding=target)
            state = restore(tmp_path, {"p": {"a": leaf, "b": leaf}}).state["p"]
            for x in state.values():
                np.testing.assert_array_equal(np.asarray(x), values)
                assert x.sharding == (target or jax.sharding.SingleDeviceSharding(jax.devices()[0]))

    def test_part_of_the_state_and_another_precision(self, tmp_path):
        save(tmp_path, 3)
        template = {"params": jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), make_state()["params"])}
        template["params"]["lift"]["w"] = jax.ShapeDtypeStruct((3, 4), jnp.bfloat16)
        restored = restore(tmp_path, template)
        assert restored.state.keys() == {"params"}
        w = restored.state["params"]["lift"]["w"]
        assert w.dtype == jnp.bfloat16 and np.all(w == 3)

    def test_donated_arrays_are_safe(self, tmp_path):
        step = jax.jit(lambda x: x + 1, donate_argnums=0)
        x = jnp.zeros(1_000_000)
        with Checkpointer(tmp_path, config={}) as checkpointer:
            for i in range(1, 4):
                x = step(x)
                checkpointer.save(i, {"x": x})
                x = step(x)
            restored = checkpointer.restore({"x": x})
        np.testing.assert_array_equal(np.asarray(restored.state["x"]), 5.0)


class TestPolicy:
    def test_latest_and_best_are_kept(self, tmp_path):
        losses = {1: 3.0, 2: 1.0, 3: 2.0, 4: float("nan"), 5: 4.0, 6: 2.0}
        with Checkpointer(tmp_path, best_metric="loss", config={}) as checkpointer:
            for step, loss in losses.items():
                checkpointer.save(step, make_state(step), metrics={"loss": loss})
            checkpointer.save(7, make_state(7))
            checkpointer.wait()
            assert checkpointer.steps == [2, 6, 7]
            assert (checkpointer.latest_step, best_step(tmp_path)) == (7, 2)
        # A new process knows the ranking from the files.
        with Checkpointer(tmp_path, best_metric="loss", config={}) as checkpointer:
            checkpointer.save(8, make_state(8), metrics={"loss": 0.5})
            checkpointer.wait()
            assert checkpointer.steps == [7, 8] and best_step(tmp_path) == 8
            checkpointer.save(9, make_state(9), metrics={"loss": 0.5})
            checkpointer.save(10, make_state(10), metrics={"loss": 0.6})
            assert checkpointer.restore(make_state(), which="best").step == 9  # the later of equals
            assert checkpointer.steps == [9, 10]  # step 7, without the metric, is not among the best
        assert restore(tmp_path, make_state(), which="best").state["loader"] == {"step": 9}

    def test_nothing_to_be_best_by(self, tmp_path):
        with Checkpointer(tmp_path, config={}) as checkpointer:
            checkpointer.save(1, make_state(1))
            with pytest.raises(CheckpointError, match=r"best: got no checkpoint with a finite score .*steps \[1\]"):
                checkpointer.restore(make_state(), which="best")

    def test_largest_is_best(self, tmp_path):
        with Checkpointer(tmp_path, keep_latest=1, best_metric="r2", best_mode="max", config={}) as c:
            for step, r2 in {1: 0.1, 2: 0.9, 3: 0.5}.items():
                c.save(step, make_state(step), metrics={"r2": r2})
            c.wait()
            assert c.steps == [2, 3] and best_step(tmp_path) == 2

    def test_order(self, tmp_path):
        with Checkpointer(tmp_path, config={}) as checkpointer:
            # None skipped, although one write may still be going on.
            assert all([checkpointer.save(step, make_state(step)) for step in (10, 20, 24)])
            assert not checkpointer.save(24, make_state(24))
            with pytest.raises(ValueError, match=r"step: got 23, wanted one above the last checkpoint, 24"):
                checkpointer.save(23, make_state(23))

    def test_arguments(self, tmp_path):
        with pytest.raises(ValueError, match="keep_latest, keep_best: got 0, 1"):
            Checkpointer(tmp_path, keep_latest=0, config={})
        with pytest.raises(ValueError, match='"min" or "max"'):
            Checkpointer(tmp_path, best_mode="least", config={})
        with pytest.raises(ValueError, match="not JSON serializable"):
            Checkpointer(tmp_path, config={"f": make_state})
        with pytest.raises(ValueError, match="latest"):
            restore(tmp_path, make_state(), which="last")

    def test_relative_paths_and_urls(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        save("here/there", 1)
        assert saved_steps(tmp_path / "here/there") == [1]
        assert str(resolve("gs://bucket/run")) == "gs://bucket/run"


class TestBadCheckpoints:
    def test_another_model(self, tmp_path):
        save(tmp_path, 1)
        template = make_state(width=5)
        template["params"]["blocks"][2] = template["params"]["blocks"].pop(0)
        template["params"]["blocks"][1] = jnp.ones(2, jnp.int32)
        with pytest.raises(CheckpointMismatchError) as caught:
            restore(tmp_path, template)
        for line in (
            "missing  params/blocks/2: wanted (4096,)",
            "extra    params/blocks/0: saved (4096,)",
            "shape    params/lift/w: saved (3, 4), wanted (3, 5)",
            "dtype    params/blocks/1: saved bool, wanted int32",
        ):
            assert line in str(caught.value)

    @pytest.mark.parametrize("damage", ["flip", "truncate", "metadata", "missing"])
    def test_falls_back_and_goes_on(self, tmp_path, damage, caplog):
        save(tmp_path, 1, 2)
        spoil(tmp_path / "2", damage)
        with Checkpointer(tmp_path, config={}) as checkpointer:
            with pytest.raises(CheckpointCorruptError):
                checkpointer.restore(make_state(), step=2)
            restored = checkpointer.restore(make_state())
            assert restored.step == 1 and restored.damaged == (2,)
            assert_same(restored.state, make_state(1))
            assert "Checkpoint of step 2" in caplog.text and "damaged" in caplog.text
            assert checkpointer.save(2, make_state(2))
            assert_same(checkpointer.restore(make_state()).state, make_state(2))

    def test_a_flipped_bit_would_load(self, tmp_path):
        # Why the checksums are there; when this fails Orbax has its own.
        save(tmp_path, 1)
        spoil(tmp_path / "1", "flip")
        loaded = ocp.load(tmp_path / "1", nest(flatten(make_state())), checkpointable_name="state")
        assert np.sum(np.asarray(loaded["params"]["blocks"]["0"]) != np.asarray(noise(1))) > 0

    def test_all_damaged(self, tmp_path):
        save(tmp_path, 1, 2)
        for step in ("1", "2"):
            spoil(tmp_path / step, "flip")
        with pytest.raises(CheckpointCorruptError, match=r"those of steps \[1, 2\] are damaged"):
            restore(tmp_path, make_state())

    def test_killed_while_an_old_one_was_deleted(self, tmp_path):
        with Checkpointer(tmp_path, keep_latest=3, best_metric="loss", config={}) as checkpointer:
            for step in (1, 2, 3):
                checkpointer.save(step, make_state(step), metrics={"loss": 1 / step})
        (tmp_path / "1" / "_CHECKPOINT_METADATA").unlink()
        shutil.rmtree(tmp_path / "1" / "state")
        shutil.rmtree(tmp_path / "2")
        (tmp_path / "2").mkdir()
        with Checkpointer(tmp_path, keep_latest=2, best_metric="loss", config={}) as checkpointer:
            assert best_step(tmp_path) == 3
            assert checkpointer.restore(make_state()).step == checkpointer.restore(make_state(), which="best").step == 3
            checkpointer.save(4, make_state(4), metrics={"loss": 4.0})
            checkpointer.wait()
            assert checkpointer.steps == [3, 4]

    def test_absent(self, tmp_path):
        assert restore(tmp_path / "nothing", make_state()) is None
        save(tmp_path, 1)
        with pytest.raises(CheckpointError, match=r"no checkpoint of step 5 .* \[1\]"):
            restore(tmp_path, make_state(), step=5)


def spoil(step_directory, damage):
    if damage == "metadata":
        (step_directory / "_CHECKPOINT_METADATA").unlink()
        return
    data = max((step_directory / "state").rglob("d/*"), key=lambda path: path.stat().st_size)
    content = bytearray(data.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    elif damage == "truncate":
        data.write_bytes(content[: len(content) // 2])
    else:
        data.unlink()


class TestChecksum:
    @pytest.mark.parametrize("dtype", [np.float32, np.int8, np.bool_, np.complex64, jnp.bfloat16, np.uint16])
    def test_layout_does_not_matter(self, dtype, mesh):
        host = np.arange(48).reshape(16, 3).astype(dtype)
        layouts = {
            "host": host,
            "device": jnp.asarray(host),
            "sharded": jax.device_put(host, jax.NamedSharding(mesh, jax.P("data"))),
            "replicated": jax.device_put(host, jax.NamedSharding(mesh, jax.P())),
        }
        assert len(set(checksums(layouts).values())) == 1

    def test_wide_numbers(self, x64):
        host = {
            "f": np.linspace(0, 1, 6).reshape(2, 3),
            "i": np.arange(5) - 2**40,
            "c": np.asarray([1e-300 + 3j]),
        }
        assert checksums(host) == checksums({name: jnp.asarray(x) for name, x in host.items()})

    def test_one_bit_or_a_swap_changes_it(self):
        x = np.random.default_rng(0).standard_normal(64).astype(np.float32)
        variants = {"original": x, "zeros": np.zeros_like(x), "longer": np.zeros(65, np.float32)}
        for bit in range(32):
            variants[f"bit {bit}"] = (
                x.view(np.uint32) ^ np.where(np.arange(64) == 9, 1 << bit, 0).astype(np.uint32)
            ).view(np.float32)
        for i in range(63):
            variants[f"swap {i}"] = x[np.r_[:i, i + 1, i, i + 2 : 64]]
        found = checksums(variants)
        # Lengths are compared by shape, not by checksum; everything else must differ from everything else.
        assert len(set(found.values())) == len(found)


class TestInterruptions:
    def test_kill_in_mid_save(self, tmp_path):
        generator = random.Random(0)
        directories = [tmp_path / str(i) for i in range(2)]
        processes = [worker("loop", directory) for directory in directories]
        for process in processes:
            while process.stdout.readline().strip() != "4":
                assert process.poll() is None, process.stderr.read()
            time.sleep(generator.uniform(0, 0.2))
            process.kill()
        for process, directory in zip(processes, directories, strict=True):
            # Not by `communicate`, which would lose the lines that `readline` has read ahead.
            last = max([4, *map(int, process.stdout.read().split())])
            process.communicate()
            with Checkpointer(directory, best_metric="loss", config={}) as checkpointer:
                template = {
                    "params": {"w": jnp.zeros(300_000), "b": jnp.zeros(7)},
                    "loader": {"step": 0},
                }
                restored = checkpointer.restore(template)
                # The last save announced was started, so the one before it had been finished.
                assert restored.step in (last - 1, last, last + 1) and not restored.damaged
                assert set(np.unique(restored.state["params"]["w"])) == {restored.step}
                assert restored.state["loader"]["step"] == restored.step
                assert checkpointer.restore(template, which="best").step == 2
                checkpointer.save(restored.step + 1, template)
            assert not [path.name for path in directory.iterdir() if "tmp" in path.name]

    def test_full_disk_and_read_only_folder(self, tmp_path):
        with tempfile.TemporaryDirectory() as folder:  # pytest's own are hidden from other users
            os.chmod(folder, 0o555)
            out = finish(worker("no_space", tmp_path / "full", folder))
            os.chmod(folder, 0o755)
        assert "RAISED the last checkpoint could not be written" in out and "File too large" in out
        assert "Checkpoints of steps [1] are intact" in out
        assert "STEPS [1]" in out and "LATER [1, 3]" in out
        assert "RAISED the folder cannot be written to" in out and "Permission denied" in out

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CheckpointError, match="cannot be written to"):
            Checkpointer(tmp_path / "file" / "checkpoints", config={})

    def test_sigterm(self, caplog):
        before = signal.getsignal(signal.SIGTERM)
        with stop_on_signal() as stop_requested:
            assert not stop_requested(1)
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop_requested(2) and stop_requested(3)
            assert signal.getsignal(signal.SIGTERM) == before  # the second one kills
        assert "saving a checkpoint" in caplog.text
        with stop_on_signal():
            pass
        assert signal.getsignal(signal.SIGTERM) == before

    def test_two_processes(self, tmp_path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        processes = [worker("two_processes", tmp_path, port, index) for index in range(2)]
        for process in processes:
            while process.stdout.readline().strip() != "ready":
                assert process.poll() is None, process.stderr.read()
        processes[1].send_signal(signal.SIGTERM)
        ends = {finish(process).strip().splitlines()[-1] for process in processes}
        assert len(ends) == 1  # both stopped at the same step, with a checkpoint of it
        step = saved_steps(tmp_path)[-1]
        assert ends == {f"STOPPED {step} [1, {step}]"}
        leaf = jax.ShapeDtypeStruct((8,), jnp.float32)
        restored = restore(tmp_path, {"sharded": leaf, "replicated": leaf})
        np.testing.assert_array_equal(np.asarray(restored.state["sharded"]), np.arange(8.0))
