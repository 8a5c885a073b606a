"""Where the parameters of spectral weights keep (re, im) and their modes.

Optimizers with one second moment per complex entry, and modes that grow while training, need to know both. Everything
else in training treats parameters as plain real arrays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flax import nnx

from operators.layers.weights import CPWeight, DenseWeight, SpectralWeight, TTWeight, TuckerWeight


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
        if not isinstance(module, SpectralWeight):
            continue
        arrays = nnx.to_flat_state(nnx.state(module, nnx.Param))
        for (name, *index), variable in arrays:
            layout = _layout(module, name, index)
            shape = tuple(variable.shape)
            sizes = {axis: module.modes[j] for j, axis in layout.modes.items()} | {layout.pair: 2}
            if any(shape[axis] != size for axis, size in sizes.items()):
                raise ValueError(f"{name}: got shape {shape} in {type(module).__name__}, wanted {sizes} (axis: size)")
            found["/".join(map(str, (*path, name, *index)))] = layout
    return found


def _layout(weight: SpectralWeight, name: Any, index: Sequence[Any]) -> Layout:
    stored = tuple(weight.modes)
    match weight, name:
        case DenseWeight(), "tensor":  # [*modes, 2, i, o]
            return Layout(len(stored), {j: j for j in range(len(stored))}, stored)
        case TuckerWeight(), "core":  # [2, *r, p, q]
            return Layout(0, {}, stored)
        case CPWeight(), "scales":  # [2, r]
            return Layout(0, {}, stored)
        # Factors of the two channel axes come first.
        case TuckerWeight() | CPWeight(), "factors":  # [2, n, r]
            return Layout(0, {index[0] - 2: 1} if index[0] >= 2 else {}, stored)
        case TTWeight(), "factors":  # [2, r, n, r']
            return Layout(0, {index[0] - 2: 2} if index[0] >= 2 else {}, stored)
    raise ValueError(
        f"operator: got {type(weight).__name__}.{name}, wanted a spectral weight of a known layout; add its axes to "
        "training.spectral_layout"
    )
