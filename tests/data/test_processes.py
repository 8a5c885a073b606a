"""Two real processes of one run, on loopback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WORKER = """
import sys
import jax, numpy as np
port, process, root = sys.argv[1:]
jax.distributed.initialize(f"localhost:{port}", 2, int(process))
from jax.sharding import AxisType
from data.generation import ensure
from data import loader
from data.loader import ResidentLoader
from data.online import OnlineLoader
from data.source import load
from data.splits import SplitSpec
from data.stream import StreamLoader
from data.synthetic import HeatFlow

heat, split = HeatFlow((12, 10), num_modes=3), SplitSpec("train", 22, 7, ((12, 10),))
path = ensure(heat, split, root)[12, 10]
samples = load(path)
mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,))

def check(batch, rows):
    for u, whole in zip(batch, (samples.x, samples.y)):
        assert len(u.addressable_shards) == 2
        assert all(np.array_equal(shard.data, whole[rows][shard.index]) for shard in u.addressable_shards)

stream = StreamLoader(path, 4, 5, mesh=mesh)
check(next(stream.batches(13)), stream.indices(13))
for replicated in (True, False):
    resident = ResidentLoader(samples, 4, 5, mesh, replicated=replicated)
    check(jax.jit(resident.fetch)(resident.data(13), 13), resident.indices(13))
online = OnlineLoader(heat, split, 4, mesh=mesh)
check(next(online.batches(3)), online.indices(3))

# One host with half the memory decides for both.
loader._memory = lambda mesh: 2 ** (30 - int(process))
assert loader.fits(2**29, share=1.0) and not loader.fits(2**29 + 2**20, share=1.0)
"""


def test_generate_and_load_together(tmp_path):
    """One generates and the other waits; each puts its half of a batch on its devices; they agree on what fits."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = os.environ["QUICK_XLA_FLAGS"] + " --xla_force_host_platform_device_count=2"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(port), str(process), str(tmp_path)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(2)
    ]
    try:
        said = [process.communicate(timeout=200)[1] for process in pair]
    finally:
        for process in pair:
            process.kill()
    assert [process.returncode for process in pair] == [0, 0], said
    assert sum("0/22 samples" in text for text in said) == 1
