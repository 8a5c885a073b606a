"""Drag, lift and shedding of a circular cylinder beside published values: the solver behind `pde=airfoil`.

    python -m benchmarks.cylinder [--reynolds 40 100] [--cells 16 32] [--far 16 32]

A cylinder of diameter 1 in a stream of speed 1, in a tunnel whose sides are `far` diameters from the fine cells, with
`cells` fine ones to a diameter. At Re 40 the flow is steady: the wake, in diameters behind the cylinder, is where the
velocity on the axis points upstream. At Re 100 vortices are shed, which a gust at the start brings forward; means and
amplitudes are over the last 40 %. Published values are for a cylinder without walls.
"""

import argparse
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pdes.wind_tunnel import Flow, Tunnel, stretched_axis

GROWTH, COURANT, BEHIND = 1.2, 0.5, 3.0
DURATION = {40.0: 60.0, 100.0: 120.0}
PUBLISHED = {
    40.0: "Re 40: drag 1.52, wake 2.35 (Dennis and Chang 1970); 1.50, 2.24 (Fornberg 1980); "
    "1.54, 2.28 (Linnick and Fasel 2005); 1.54, 2.30 (Taira and Colonius 2007)",
    100.0: "Re 100: drag 1.33, lift +-0.33, Strouhal 0.165 (Park, Kwon and Choi 1998); 1.35, 0.339, 0.164 (Liu, Zheng "
    "and Sung 1998); 1.34, 0.333, 0.166 (Linnick and Fasel 2005)",
}


class Measured(NamedTuple):
    """Coefficients over rho U^2 D / 2, the length of the wake in D, and the frequency in U/D."""

    drag: float
    lift: float
    wake: float
    strouhal: float


def cylinder(reynolds: float, cells: int, far: float, duration: float) -> tuple[Tunnel, Measured]:
    """The flow past a cylinder from an impulsive start to `duration` diameters over the speed."""
    x = stretched_axis(-1.0, BEHIND, round(cells * (1 + BEHIND)), far, 2 * far, GROWTH)
    y = stretched_axis(-1.0, 1.0, 2 * cells, far, far, GROWTH)
    tunnel = Tunnel(x, y, min(COURANT / cells, 0.2 * reynolds / cells**2))
    stream, steps = (jnp.ones(()), jnp.zeros(())), round(duration / tunnel.dt)

    @jax.jit
    def run() -> tuple[Flow, jax.Array]:
        damping = tunnel.hold(lambda x, y: jnp.sqrt(x**2 + y**2) - 0.5, 1 / reynolds)
        flow = tunnel.start(stream, damping)
        if reynolds > 47:  # where the symmetric flow is unstable
            flow = flow._replace(v=flow.v + 0.3 * jnp.exp(-((x.centres[:, None] - 1) ** 2 + y.faces[None] ** 2)))
        return jax.lax.scan(lambda flow, _: tunnel.step(flow, damping, stream, 1 / reynolds), flow, length=steps)

    flow, force = run()
    drag, lift = 2 * np.asarray(force)[int(0.6 * steps) :].T
    amplitude = float(np.ptp(lift)) / 2
    strouhal = frequency(lift, tunnel.dt) if amplitude > 1e-3 else 0.0
    return tunnel, Measured(float(drag.mean()), amplitude, wake_length(tunnel, flow), strouhal)


def wake_length(tunnel: Tunnel, flow: Flow) -> float:
    """From the cylinder to where the velocity on the axis turns downstream."""
    middle = tunnel.y.cells // 2
    u = np.asarray(flow.u[:, middle - 1 : middle + 1]).mean(axis=1)
    x = tunnel.x.faces
    (turns,) = np.nonzero((u[:-1] < 0) & (u[1:] >= 0) & (x[:-1] > 0.5))
    if not len(turns):
        return 0.0
    i = turns[-1]
    return float(x[i] - u[i] / (u[i + 1] - u[i]) * (x[i + 1] - x[i]) - 0.5)


def frequency(signal: np.ndarray, dt: float) -> float:
    """Of the upward crossings of the mean."""
    s = signal - signal.mean()
    (at,) = np.nonzero((s[:-1] < 0) & (s[1:] >= 0))
    times = (at - s[at] / (s[at + 1] - s[at])) * dt
    return float((len(times) - 1) / (times[-1] - times[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reynolds", type=float, nargs="+", default=[40.0, 100.0], choices=sorted(DURATION))
    parser.add_argument("--cells", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--far", type=float, nargs="+", default=[16.0, 32.0])
    args = parser.parse_args()
    print("| Re | cells per diameter | grid | blockage | drag | lift | wake | Strouhal | s |\n" + "|---" * 9 + "|")
    for reynolds in args.reynolds:
        for far in args.far:
            for cells in args.cells:
                begin = time.perf_counter()
                tunnel, row = cylinder(reynolds, cells, far, DURATION[reynolds])
                blockage = 100 / (tunnel.y.faces[-1] - tunnel.y.faces[0])
                grid, took = f"{tunnel.x.cells} x {tunnel.y.cells}", time.perf_counter() - begin
                rest = f"{row.lift:.3f} | – | {row.strouhal:.4f}" if row.strouhal else f"– | {row.wake:.2f} | –"
                print(
                    f"| {reynolds:g} | {cells} | {grid} | {blockage:.1f} % | {row.drag:.3f} | {rest} | {took:.0f} |",
                    flush=True,
                )
    for reynolds in args.reynolds:
        print(PUBLISHED[reynolds])


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
