"""Tiny files in the layouts of others, written axis by axis as their specifications say, and what they must become.

Every writer fills a folder and returns the paths to convert, the fields (n, t, x[, y[, z]]) and the coordinates of the
points. No two axes have one length, so that none can be taken for another.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import scipy.io

N, T, X, Y, Z = 5, 4, 8, 6, 3


class Written(NamedTuple):
    paths: list[Path]
    fields: dict[str, np.ndarray]
    coordinates: list[np.ndarray]
    times: np.ndarray | None = None


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers that float32 holds exactly."""
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def periodic(n: int, length: float = 1.0) -> np.ndarray:
    return np.arange(n) * length / n


def cells(n: int, start: float, stop: float) -> np.ndarray:
    return start + (np.arange(n) + 0.5) * (stop - start) / n


def matlab_73(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """MATLAB v7.3: HDF5 behind a header of 512 bytes, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file[name] = values.transpose()
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def fno_navier_stokes(folder: Path, save=matlab_73) -> Written:
    a, u, times = numbers(N, X, Y), numbers(N, X, Y, T), np.arange(1.0, T + 1)
    save(folder / "ns_V1e-3_N5_T4.mat", {"a": a, "u": u, "t": times[None]})
    fields = {"initial_vorticity": a[:, None], "vorticity": np.moveaxis(u, -1, 1)}
    return Written([folder / "ns_V1e-3_N5_T4.mat"], fields, [periodic(X), periodic(Y)], times)


def fno_navier_stokes_5(folder: Path) -> Written:
    return fno_navier_stokes(folder, scipy.io.savemat)


def fno_burgers(folder: Path) -> Written:
    a, u = numbers(N, X), numbers(N, X, seed=1)
    scipy.io.savemat(folder / "burgers_data_R10.mat", {"a": a, "u": u, "a_smooth": a, "a_x": a})
    return Written(
        [folder / "burgers_data_R10.mat"], {"initial_velocity": a[:, None], "velocity": u[:, None]}, [periodic(X)]
    )


def fno_darcy(folder: Path) -> Written:
    coeff, sol = numbers(N, X, Y), numbers(N, X, Y, seed=1)
    matlab_73(folder / "piececonst.mat", {"coeff": coeff, "sol": sol, "Kcoeff": coeff, "Kcoeff_x": coeff})
    nodes = [np.linspace(0, 1, n) for n in (X, Y)]
    return Written([folder / "piececonst.mat"], {"permeability": coeff[:, None], "pressure": sol[:, None]}, nodes)


def pdebench_scalar(folder: Path) -> Written:
    u, x, times = numbers(N, T, X), cells(X, 0, 1), np.linspace(0, 2, T + 1)
    path = folder / "1D_Burgers_Sols_Nu0.01.hdf5"
    with h5py.File(path, "w") as file:
        file["tensor"], file["x-coordinate"], file["t-coordinate"] = u, x.astype("f4"), times.astype("f4")
        file.attrs["Nu"] = 0.01
    return Written([path], {"u": u}, [x], times[:T])


def pdebench_compressible(folder: Path) -> Written:
    names = {"density": "density", "pressure": "pressure", "Vx": "velocity_x", "Vy": "velocity_y"}
    path = folder / "2D_CFD_Rand_M0.1_Eta1e-08_Zeta1e-08_periodic_128_Train.hdf5"
    x, y, times = cells(X, 0, 1), cells(Y, 0, 1), np.linspace(0, 1, T + 1)
    fields = {name: numbers(N, T, X, Y, seed=i) for i, name in enumerate(names.values())}
    with h5py.File(path, "w") as file:
        for stored, name in names.items():
            file[stored] = fields[name]
        for name, values in zip("xyt", (x, y, times), strict=True):
            file[f"{name}-coordinate"] = values
        file.attrs.update(eta=1e-8, zeta=1e-8, M=0.1)
    return Written([path], fields, [x, y], times[:T])


def pdebench_incompressible(folder: Path) -> Written:
    velocity, particles, force = numbers(N, T, X, Y, 2), numbers(N, T, X, Y, 1), numbers(N, X, Y, 2)
    times = np.linspace(0, 5, T)
    path = folder / "ns_incom_inhom_2d_512-0.h5"
    with h5py.File(path, "w") as file:
        file["velocity"], file["particles"], file["force"] = velocity, particles, force
        file["t"] = np.tile(times, (N, 1))
    fields = {"velocity_x": velocity[..., 0], "velocity_y": velocity[..., 1], "particles": particles[..., 0]}
    fields |= {"force_x": force[:, None, ..., 0], "force_y": force[:, None, ..., 1]}
    return Written([path], fields, [cells(X, 0, 1), cells(Y, 0, 1)], times)


def pdebench_darcy(folder: Path) -> Written:
    nu, u = numbers(N, X, Y), numbers(N, 1, X, Y)
    path, x, y = folder / "2D_DarcyFlow_beta1.0_Train.hdf5", cells(X, 0, 1), cells(Y, 0, 1)
    with h5py.File(path, "w") as file:
        file["nu"], file["tensor"], file["x-coordinate"], file["y-coordinate"] = nu, u, x, y
        file.attrs["beta"] = 1.0
    return Written([path], {"permeability": nu[:, None], "pressure": u}, [x, y])


def _groups(path: Path, samples: np.ndarray, grid: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for i, values in enumerate(samples):
            file[f"{i:04d}/data"] = values
            for name, points in grid.items():
                file[f"{i:04d}/grid/{name}"] = points


def pdebench_shallow_water(folder: Path) -> Written:
    height, x, y = numbers(N, T, X, Y, 1), cells(X, -2.5, 2.5), cells(Y, -2.5, 2.5)
    _groups(folder / "2D_rdb_NA_NA.h5", height, {"x": x, "y": y, "t": np.arange(T) / 10})
    return Written([folder / "2D_rdb_NA_NA.h5"], {"height": height[..., 0]}, [x, y], np.arange(T) / 10)


def pdebench_reaction_diffusion(folder: Path) -> Written:
    """Here rows are y: the generator reshapes to (t, Ny, Nx)."""
    both, x, y = numbers(N, T, Y, X, 2), cells(X, -1, 1), cells(Y, -1, 1)
    _groups(folder / "2D_diff-react_NA_NA.h5", both, {"x": x, "y": y, "t": np.arange(T) / 20})
    fields = {"activator": both[..., 0].swapaxes(2, 3), "inhibitor": both[..., 1].swapaxes(2, 3)}
    return Written([folder / "2D_diff-react_NA_NA.h5"], fields, [x, y], np.arange(T) / 20)


def the_well(folder: Path, reynolds: float = 10.0, name: str = "flow.hdf5", seed: int = 0) -> Written:
    """Every combination of order, and of what varies with sample, time and space, that the specification knows."""
    times, grid = np.linspace(0, 3, T), {"x": periodic(X, 2.0), "y": periodic(Y), "z": periodic(Z)}
    fields = {
        ("t0_fields", "pressure"): (numbers(N, T, X, Y, Z, seed=seed), True, True),
        ("t0_fields", "depth"): (numbers(1, Y, 1), False, False),
        ("t0_fields", "density"): (numbers(N, X, Y, Z), True, False),
        ("t1_fields", "velocity"): (numbers(N, T, X, Y, Z, 3), True, True),
        ("t2_fields", "stress"): (numbers(T, X, 1, Z, 3, 3), False, True),
    }
    scalars = {
        "Reynolds": (reynolds, False, False),
        "forcing": (numbers(N), True, False),
        "clock": (times, False, True),
    }
    with h5py.File(folder / name, "w") as file:
        file.attrs.update(
            dataset_name="flow", grid_type="cartesian", n_spatial_dims=3, n_trajectories=N, Reynolds=reynolds
        )
        file.attrs["simulation_parameters"] = ["Reynolds"]
        file.create_group("dimensions").attrs["spatial_dims"] = list(grid)
        for key, values in {"time": times, **grid}.items():
            file[f"dimensions/{key}"] = values.astype("f4")
            file[f"dimensions/{key}"].attrs["sample_varying"] = False
        for key in grid:
            boundary = file.create_group(f"boundary_conditions/{key}_periodic")
            boundary.attrs.update(associated_dims=[key], bc_type="PERIODIC", sample_varying=False, time_varying=False)
            boundary["mask"] = np.ones(len(grid[key]), bool)
        for group in ("t0_fields", "t1_fields", "t2_fields", "scalars"):
            file.create_group(group)
        for (group, key), (values, sample, time) in {
            **fields,
            **{("scalars", k): v for k, v in scalars.items()},
        }.items():
            file[f"{group}/{key}"] = values
            file[f"{group}/{key}"].attrs.update(sample_varying=sample, time_varying=time)
            space = np.shape(values)[sample + time :][:3]
            file[f"{group}/{key}"].attrs["dim_varying"] = [size > 1 for size in space]
        for group in ("t0_fields", "t1_fields", "t2_fields", "scalars"):
            file[group].attrs["field_names"] = list(file[group])
    return Written([folder / name], _of_the_well(fields, scalars), list(grid.values()), times)


def _of_the_well(fields: dict, scalars: dict) -> dict[str, np.ndarray]:
    def whole(values, sample, time):
        values = values if time else values[:, None] if sample else values[None]
        return np.broadcast_to(values if sample else values[None], (N, T if time else 1, X, Y, Z))

    found = {}
    for (_, name), (values, sample, time) in fields.items():
        order = values.ndim - sample - time - 3
        for place in np.ndindex((3,) * order):
            suffix = "".join("xyz"[i] for i in place)
            found[f"{name}_{suffix}" if suffix else name] = whole(values[(..., *place)], sample, time)
    for name in ("forcing", "clock"):
        values, sample, time = scalars[name]
        found[name] = whole(np.asarray(values, np.float32)[..., None, None, None], sample, time)
    return found


def pdearena(folder: Path) -> Written:
    fields = {name: numbers(N, T, X, Y, seed=i) for i, name in enumerate(("smoke", "velocity_x", "velocity_y"))}
    buoyancy, times = numbers(N), np.linspace(18, 102, T)
    path = folder / "NavierStokes2D_train_1_0.5_5.h5"
    with h5py.File(path, "w") as file:
        for stored, name in zip(("u", "vx", "vy"), fields, strict=True):
            file[f"train/{stored}"] = fields[name].astype(np.float64)
        for stored, row in (("t", times), ("x", np.linspace(0, 32, X)), ("y", np.linspace(0, 32, Y))):
            file[f"train/{stored}"] = np.tile(row, (N, 1))
        for stored, value in (("dt", 1.5), ("dx", 0.25), ("dy", 0.25)):
            file[f"train/{stored}"] = np.full(N, value)
        file["train/buo_y"] = buoyancy
    fields["buoyancy"] = np.broadcast_to(buoyancy[:, None, None, None], (N, 1, X, Y))
    return Written([path], fields, [cells(X, 0, 32), cells(Y, 0, 32)], times)


def apebench(folder: Path) -> Written:
    u = numbers(N, T, 2, X, Y, Z)
    np.save(folder / "burgers.npy", u)
    points = [periodic(n, 2.0) for n in (X, Y, Z)]
    return Written([folder / "burgers.npy"], {"u": u[:, :, 0], "v": u[:, :, 1]}, points, np.arange(T) * 0.1)


class _Storage:
    """Stands for torch.FloatStorage in a pickle."""

    def __init__(self, key: str, kind: str, count: int):
        self.pid = ("storage", _Name("torch", kind), key, "cpu", count)


class _Name:
    def __init__(self, module: str, name: str):
        self.line = f"c{module}\n{name}\n".encode()


class _Tensor:
    def __init__(self, storage: _Storage, shape: tuple[int, ...], stride: tuple[int, ...]):
        self.parts = (storage, 0, shape, stride, False, OrderedDict())


class _Pickler(pickle._Pickler):  # the one in Python, which can write a name that cannot be imported here
    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, _Storage) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Name):
            self.write(obj.line)
        elif isinstance(obj, _Tensor):
            self.save(_Name("torch._utils", "_rebuild_tensor_v2"))
            self.save(obj.parts)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def torch_save(path: Path, arrays: dict[str, np.ndarray], padded: bool = True) -> None:
    """What `torch.save` writes of a dictionary of tensors; compared with itself in tests/peers."""
    kinds = {"f4": "FloatStorage", "f8": "DoubleStorage", "b1": "BoolStorage", "i8": "LongStorage"}
    content = {
        name: _Tensor(
            _Storage(str(i), kinds[values.dtype.str[1:]], values.size),
            values.shape,
            tuple(step // values.itemsize for step in values.strides),
        )
        for i, (name, values) in enumerate(arrays.items())
    }
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as file:
            _Pickler(file, 2).dump(content)
        archive.writestr("archive/byteorder", "little")
        for i, values in enumerate(arrays.values()):
            info = zipfile.ZipInfo(f"archive/data/{i}")
            info.extra = b"FB" + (8).to_bytes(2, "little") + b"Z" * 8 if padded else b""
            archive.writestr(info, values.tobytes(order="A"))
        archive.writestr("archive/version", "3\n")


def neuraloperator(folder: Path) -> Written:
    x, y = numbers(N, X, Y) > 0, numbers(N, X, Y)
    torch_save(folder / "darcy_train_16.pt", {"x": x, "y": y})
    fields = {"permeability": x[:, None].astype(np.float32), "pressure": y[:, None]}
    return Written([folder / "darcy_train_16.pt"], fields, [cells(X, 0, 1), cells(Y, 0, 1)])


def neuraloperator_channels(folder: Path) -> Written:
    x, y = numbers(N, 2, X), np.asfortranarray(numbers(N, 1, X, seed=1).astype(np.float64))
    torch_save(folder / "other.pt", {"x": x, "y": y}, padded=False)
    fields = {"x_0": x[:, None, 0], "x_1": x[:, None, 1], "y": y.astype(np.float32)}
    return Written([folder / "other.pt"], fields, [np.linspace(0, 3, X)])


def deep_flow(folder: Path) -> Written:
    a = numbers(N, 6, X, Y).astype(np.float64)
    for i, values in enumerate(a):
        np.savez_compressed(folder / f"foil{i}_1000_-200.npz", a=values)
    names = ("freestream_x", "freestream_y", "mask", "pressure", "velocity_x", "velocity_y")
    fields = {name: a[:, i, None].astype(np.float32) for i, name in enumerate(names)}
    return Written([folder], fields, [np.arange(X) / X * 2 - 0.5, np.arange(Y) / Y * 2 - 1])


def scalarflow(folder: Path) -> Written:
    images = numbers(N, T, 5, Y, X, 1)
    for i, frames in enumerate(images):
        inner = folder / f"sim_{i:06d}" / "input" / "cam"
        inner.mkdir(parents=True)
        for j, frame in enumerate(frames):
            np.savez_compressed(inner / f"imgsTarget_{j:06d}.npz", data=frame)
    fields = {"brightness": images[:, :, 3, ..., 0].swapaxes(2, 3)}
    return Written([folder], fields, [np.arange(X) + 0.5, np.arange(Y) + 0.5], np.arange(T) / 60)


# Source, options, writer, kind of grid.
CASES = {
    "fno_mat navier_stokes 7.3": ("fno_mat", {}, fno_navier_stokes, "periodic"),
    "fno_mat navier_stokes 5": ("fno_mat", {}, fno_navier_stokes_5, "periodic"),
    "fno_mat burgers": ("fno_mat", {}, fno_burgers, "periodic"),
    "fno_mat darcy": ("fno_mat", {}, fno_darcy, "node"),
    "pdebench scalar": ("pdebench", {}, pdebench_scalar, "periodic"),
    "pdebench compressible": ("pdebench", {}, pdebench_compressible, "periodic"),
    "pdebench incompressible": ("pdebench", {"extent": [1, 1]}, pdebench_incompressible, "cell"),
    "pdebench darcy": ("pdebench", {}, pdebench_darcy, "cell"),
    "pdebench shallow_water": ("pdebench", {}, pdebench_shallow_water, "cell"),
    "pdebench reaction_diffusion": ("pdebench", {}, pdebench_reaction_diffusion, "cell"),
    "the_well": ("the_well", {}, the_well, "periodic"),
    "pdearena": ("pdearena", {}, pdearena, "cell"),
    "apebench": ("apebench", {"extent": [2, 2, 2], "dt": 0.1, "channels": ["u", "v"]}, apebench, "periodic"),
    "neuraloperator": ("neuraloperator", {}, neuraloperator, "cell"),
    "neuraloperator channels": (
        "neuraloperator",
        {"extent": [3], "grid_type": "node", "channels": True},
        neuraloperator_channels,
        "node",
    ),
    "deep_flow": ("deep_flow", {}, deep_flow, "cell"),
    "scalarflow": ("scalarflow", {"camera": 3, "dt": 1 / 60}, scalarflow, "cell"),
}
