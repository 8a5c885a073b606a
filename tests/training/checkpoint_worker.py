"""Separate processes for the checkpoint tests: `python checkpoint_worker.py <mode> <directory> [arguments]`.

A state's numbers all equal its step, so that a mixture of two steps cannot pass for a checkpoint.
"""

import os
import resource
import signal
import sys

import jax
import jax.numpy as jnp
import numpy as np

from training.checkpoint import Checkpointer, CheckpointWriteError
from training.preemption import stop_on_signal


def make_state(step, size=300_000):
    return {
        "params": {"w": jnp.full((size,), step, jnp.float32), "b": jnp.full((7,), step, jnp.float32)},
        "loader": {"step": step},
    }


def loop(directory):
    """Save without pause until killed."""
    with Checkpointer(directory, best_metric="loss", config={}) as checkpointer:
        for step in range(1, 10_000):
            checkpointer.save(step, make_state(step), metrics={"loss": float((step - 2) ** 2)})
            print(step, flush=True)


def full_disk(directory):
    """A file-size limit stands in for a full disk: the write fails at the same place, in a background thread."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    checkpointer = Checkpointer(directory, config={})
    checkpointer.save(1, make_state(1))
    checkpointer.wait()
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    noise = {"w": jax.random.normal(jax.random.key(0), (300_000,))}
    try:
        checkpointer.save(2, {"params": noise})
        checkpointer.wait()
    except CheckpointWriteError as error:
        print("RAISED", error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("STEPS", checkpointer.steps)
    checkpointer.save(3, make_state(3))
    checkpointer.close()
    print("LATER", checkpointer.steps)


def no_space(directory, read_only):
    full_disk(directory)
    if os.getuid() == 0:
        os.setuid(65534)  # root may write anywhere
    directory = read_only
    try:
        Checkpointer(directory, config={})
    except CheckpointWriteError as error:
        print("RAISED", error)


def two_processes(directory, port, index):
    """Write one checkpoint of a sharded and a replicated array together, read it back, then be preempted."""
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(index))
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharded, replicated = jax.NamedSharding(mesh, jax.P("data")), jax.NamedSharding(mesh, jax.P())
    values = np.arange(8.0, dtype=np.float32)
    state = {
        "sharded": jax.make_array_from_callback((8,), sharded, lambda i: values[i]),
        "replicated": jax.make_array_from_callback((8,), replicated, lambda i: values[i]),
        "loader": {"step": 4},
    }
    with (
        Checkpointer(directory, config={"a": 1}) as checkpointer,
        stop_on_signal() as stop_requested,
    ):
        checkpointer.save(1, state)
        checkpointer.wait()
        restored = checkpointer.restore(state)
        assert restored.step == 1 and restored.state["loader"] == {"step": 4}
        for name in ("sharded", "replicated"):
            for shard in restored.state[name].addressable_shards:
                np.testing.assert_array_equal(np.asarray(shard.data), values[shard.index])
        print("ready", flush=True)
        for step in range(2, 10_000, 3):  # several steps per dispatch: the agreed step may lie in between
            if stop_requested(step):
                checkpointer.save(step, state)
                break
            signal.sigtimedwait([], 0.01)
    print("STOPPED", step, checkpointer.steps)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
