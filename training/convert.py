"""Weights of the PyTorch library as a run: `python -m training.convert weights=model.pt experiment=ns_fno`.

The other arguments are those of `train.py`: they say which operator the weights are of, and which data measure it.
"""

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from .config import Run, parse


@dataclass
class Conversion(Run):
    """A run, and the weights that it begins with.

    Args:
        weights: a state dict of the library: a `.pt` file (read with torch, which must be installed) or an `.npz` file.
    """

    weights: str = MISSING


ConfigStore.instance().store(name="convert_schema", node=Conversion)


@hydra.main(version_base="1.3", config_path="pkg://configs", config_name="convert")
def main(cfg: DictConfig) -> None:
    # JAX is imported below, so that `--help` answers at once.
    from .errors import friendly_errors

    with friendly_errors():
        if OmegaConf.is_missing(cfg, "weights"):
            raise ValueError("weights: got nothing, wanted a state dict such as weights=model.pt")
        folder = convert(cfg)
        print(f"{folder}\nmeasure it: python -m training.evaluate run={folder}")


def convert(cfg: DictConfig) -> Path:
    """Make a run directory whose checkpoint of step 0 holds the weights of a file.

    `training.evaluate` measures it, and `train.py` with the same arguments and `run_id` trains on from there.
    Normalisers are fitted on the training set, as in a run: the library keeps its own in the data, not in the model.

    Args:
        cfg: a config composed from `configs/convert.yaml`.

    Returns:
        The run directory.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for weights that are not those of the operator, and for bad settings.
        FileExistsError: where the run has checkpoints already.
    """
    from . import distributed
    from .restore import saved_steps

    tree = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(tree, dict)
    path = Path(str(tree.pop("weights"))).expanduser()
    state_dict = read_state_dict(path)
    settings, config = parse(OmegaConf.create(tree))
    folder = Path(settings.output).expanduser().resolve() / str(settings.run_id)
    if saved_steps(folder / "checkpoints"):
        raise FileExistsError(f"run_id: {folder} holds a run that has begun, wanted a new one; set run_id=<name>")
    with distributed.run_settings(settings.compile_cache, settings.trainer.matmul_precision):
        _write(settings, config, state_dict)
    return folder


def _write(settings: Run, config: dict[str, Any], state_dict: dict[str, Any]) -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from operators.interop import load_neuraloperator

    from . import build, directory
    from .check import check_components
    from .checkpoint import Checkpointer
    from .problem import problem_of_file
    from .step import init_state, statistics_of

    check_components(settings)
    if settings.growth:
        raise ValueError(f"growth: got {settings.growth['_target_']}, wanted none: the weights have all their modes")
    train = build.build_datasets(settings).train
    _, operator = build.build_operator(settings, train.metadata.shape, train.channels)
    load_neuraloperator(operator, state_dict)
    params = jax.tree.map(jnp.asarray, nnx.to_pure_dict(nnx.state(operator, nnx.Param)))
    # Any number of steps: it decides the schedule, not the state.
    optimizer, _ = build.build_optimizer(settings, 2, operator)
    normalizers = build.build_normalizers(settings, train)
    problem = problem_of_file(train.metadata, train.inputs, train.targets, settings.allow)
    state = init_state(
        params,
        optimizer,
        settings.trainer.ema_decay is not None,
        statistics=jax.tree.map(jnp.asarray, statistics_of(operator)),
        balance=build.build_objective(settings, problem, normalizers[1]).init(),
    )

    folder = directory.open_directory(settings, config, write=True)
    directory.write_normalizers(folder, *normalizers)
    with directory.held(folder), Checkpointer(folder / "checkpoints", config=config) as checkpointer:
        checkpointer.save(0, state._asdict())


def read_state_dict(path: Path) -> dict[str, Any]:
    """The arrays of a file by name.

    Nothing in the file is executed: what is neither a number, a string nor a tensor (the library keeps the classes and
    functions that a model was built with) is read as an empty placeholder.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where torch is needed and not installed, or the file is not a state dict.
    """
    import numpy as np

    if not path.is_file():
        raise FileNotFoundError(f"weights: no file {path}, wanted a state dict (.pt or .npz)")
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"weights: {path} is damaged or no archive of arrays (.npz); save it again") from error
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            f"weights: got {path}, which only torch can read; install it, or save the arrays as .npz where it is: "
            "numpy.savez('model.npz', **{name: value.numpy() for name, value in model.state_dict().items() if "
            "name != '_metadata'})"
        ) from error

    try:
        # Files of before torch 1.6 are no archives and hold no other names.
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
        with torch.serialization.safe_globals([(_Placeholder, name) for name in names]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"weights: {path} is damaged or was not saved by torch ({reason}); save it again") from error
    return _tensors(content, path)


def _tensors(content: Any, path: Path) -> dict[str, Any]:
    """The arrays of a state dict; those that distributed training wraps lose its prefix."""
    import torch

    named = content if isinstance(content, dict) else {}
    tensors = {str(name): value for name, value in named.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        inner = ", ".join(str(name) for name, value in named.items() if isinstance(value, dict))
        hint = f"; it holds dictionaries named {inner}: save the one with the weights alone" if inner else ""
        raise ValueError(
            f"weights: got {type(content).__name__} without tensors in {path}, wanted a state dict: "
            f"model.state_dict(){hint}"
        )
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    plain = (value.detach().float() if value.dtype == torch.bfloat16 else value.detach() for value in tensors.values())
    return {name: value.cpu().numpy() for name, value in zip(tensors, plain, strict=True)}


class _Placeholder:
    """Stands for a class or function in a file."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


if __name__ == "__main__":
    main()
