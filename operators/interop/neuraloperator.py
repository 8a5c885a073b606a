"""Weights from and to the PyTorch library neuraloperator, as NumPy arrays; torch is not needed."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from .filling import fill
from .layout import COUNT, Entry, as_arrays, as_complex, entries
from .older import modernise

_NORM = re.compile(r"fno_blocks\.(\d+\.)?norm\.")


def load_neuraloperator(operator: nnx.Module, state_dict: Mapping[str, Any], *, dtype: DTypeLike | None = None) -> None:
    """Set every parameter of an operator from a state dict of the library; all of them, or none if one does not fit.

    The map is linear, moves numbers without changing them, and a complex gradient of the library is that with respect
    to (re, im): it carries gradients as well.

    Read are the layout of neuraloperator 1.0 to 2.0, with complex weights as complex arrays or with a last axis of
    (re, im), and what came before: one list or one joint tensor for all layers (0.3), the same of the corners of the
    spectrum (0.2), and the convolutions of the original FNO (`weights1`, `weights2`, ..). Those go into operators with
    dense weights and even `n_modes`, as in the checkpoint. Corners have no frequency n//2 on the last axis: it is zero
    then, or absent with one mode less on that axis.

    Args:
        operator: FNO, TFNO, UNO or SpectralConv, built with the options of the checkpoint; may be abstract
            (`nnx.eval_shape`).
        state_dict: arrays, or tensors that NumPy can read (on the CPU, detached), by the library's names.
        dtype: of the parameters; by default the one they have.

    Raises:
        ValueError: for missing or superfluous names and wrong shapes, all listed; the operator is then unchanged.

    Accuracy:
        Outputs agree to round-off where the numerics do: see `compat` of `operators.FNO` for what the library does
        differently. Before 2.0 it cut odd mode counts of leading axes off centre. Before 1.0 a last block with a
        channel MLP had an activation before it, and in 0.2 the lifting was a single layer, so that only convolutions
        are to be had. The release 2.0.0 shifts the modes of odd leading axes by one, which its development line has
        corrected.
    """
    wanted = entries(operator)
    arrays = modernise(as_arrays(state_dict), wanted)
    for name, entry in wanted.items():
        if entry.pair is not None and name in arrays and arrays[name].shape == (*entry.shape, 2):
            arrays[name] = as_complex(arrays[name])
    fill(wanted, arrays, lambda: _advice(arrays, wanted), dtype=dtype)


def to_neuraloperator(operator: nnx.Module) -> dict[str, np.ndarray]:
    """The parameters of an FNO, TFNO, UNO or SpectralConv as a state dict of neuraloperator 2.0.

    `model.load_state_dict({name: torch.from_numpy(value) for name, value in to_neuraloperator(operator).items()})`
    fills the library's model of the same options.

    Args:
        operator: the operator.

    Returns:
        Arrays by the library's names, in its shapes; spectral weights are complex.

    Raises:
        ValueError: for another operator, or a parameter that the library does not have.
    """
    theirs = {name: entry.to_theirs() for name, entry in entries(operator).items()}
    # PyTorch counts batches, which nothing depends on, and wants the number back.
    mean = "running_mean"
    counts = {name.removesuffix(mean) + COUNT: np.array(0) for name in theirs if name.endswith(mean)}
    return theirs | counts


def _advice(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Entry]) -> str:
    """What to change."""
    missing, extra = wanted.keys() - arrays, arrays.keys() - wanted
    if extra and not missing and all(_NORM.match(name) for name in extra):
        return 'Without a channel MLP the library still has a second norm: build the operator with compat="neuralop2".'
    if any(name.endswith("weight.tensor") for name in extra):
        return "The spectral weights are dense, or corners of a spectrum: build the operator with factorization=None."
    return "Build the operator with the options of the checkpoint: n_modes, channels, n_layers, factorization, rank, .."
