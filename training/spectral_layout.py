"""Where the parameters of spectral weights keep (re, im) and their modes.

Optimizers with one second moment per complex entry, and modes that grow while training, need to know both. Everything
else in training treats parameters as plain real arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flax import nnx

from operators.layers.afno_mixer import AFNOMixer
from operators.layers.axis_conv import AxisConv
from operators.layers.mode_mixing import AxisMixing, ModeMixing
from operators.layers.weights import DenseWeight, JointWeight, SeparableWeight, SpectralWeight, TTTensor, TTWeight
from operators.layers.weights.joint import JointDense, JointTT


class Layout(NamedTuple):
    """The axes of one parameter array of a spectral weight.

    Args:
        pair: the axis of length two that holds (re, im).
        modes: spatial axis of the operator -> axis of the array that its modes lie on; only those that it carries.
        stored: sizes of all mode axes of the weight, see `operators.layers.modes.stored_modes`.
    """

    pair: int
    modes: Mapping[int, int]
    stored: tuple[int, ...]


def spectral_layout(operator: nnx.Module) -> dict[str, Layout]:
    """Parameter name, as in `training.step.parameter_table`, -> layout, for every array of every spectral weight.

    Args:
        operator: may be abstract (`nnx.eval_shape`).

    Raises:
        ValueError: for a weight whose layout is not known here, or is not what its arrays look like.
    """
    found = {}
    for path, module in nnx.iter_modules(operator):
        if isinstance(module, AFNOMixer):  # [2, block, ..], the same numbers for all modes
            names = (name for name in ("w1", "b1", "w2", "b2") if getattr(module, name) is not None)
            found |= {"/".join(map(str, (*path, name))): Layout(0, {}, ()) for name in names}
        if isinstance(module, ModeMixing) and module.weight.shape[1] == 2:  # [mode, 2, i, o], the modes in one list
            found["/".join(map(str, (*path, "weight")))] = Layout(1, {}, ())
        if isinstance(module, AxisMixing) and module.weight.shape[0] == 2:  # [2, k, k', c]
            found["/".join(map(str, (*path, "weight")))] = Layout(0, {}, ())
        if not isinstance(module, SpectralWeight | JointWeight | AxisConv):
            continue
        arrays = nnx.to_flat_state(nnx.state(module, nnx.Param))
        for (name, *index), variable in arrays:
            layout = _layout(module, name, index)
            shape = tuple(variable.shape)
            sizes = {axis: layout.stored[j] for j, axis in layout.modes.items()} | {layout.pair: 2}
            if any(shape[axis] != size for axis, size in sizes.items()):
                raise ValueError(f"{name}: got shape {shape} in {type(module).__name__}, wanted {sizes} (axis: size)")
            found["/".join(map(str, (*path, name, *index)))] = layout
    return found


def _layout(weight: nnx.Module, name: Any, index: Sequence[Any]) -> Layout:
    if isinstance(weight, AxisConv):  # [k, 2, i, o], the modes of one axis alone
        return Layout(1, {}, ())
    assert isinstance(weight, SpectralWeight | JointWeight)
    stored = tuple(weight.shape[3:] if isinstance(weight, JointWeight) else weight.modes)
    d, channels = len(stored), 2
    train = isinstance(weight, TTWeight | JointTT)
    if isinstance(weight, SeparableWeight):
        # The arrays are those of its tensor, which has one axis of channels.
        name, *index = index
        channels, train = 1, isinstance(weight.tensor, TTTensor)
    match weight, name:
        case SeparableWeight(), "tensor":  # [2, c, *modes]
            return Layout(0, {j: j + 2 for j in range(d)}, stored)
        case DenseWeight(), "tensor":  # [*modes, 2, i, o]
            return Layout(d, {j: j for j in range(d)}, stored)
        case JointDense(), "tensor":  # [layer, *modes, 2, i, o]
            return Layout(d + 1, {j: j + 1 for j in range(d)}, stored)
        case _, "core" | "scales" | "layers":  # [2, ..]
            return Layout(0, {}, stored)
        # Factors of the channels come first; [2, n, r], in a train [2, r, n, r'].
        case _, "factors":
            return Layout(0, {index[0] - channels: 2 if train else 1} if index[0] >= channels else {}, stored)
    raise ValueError(
        f"operator: got {type(weight).__name__}.{name}, wanted a spectral weight of a known layout; add its axes to "
        "training.spectral_layout"
    )
