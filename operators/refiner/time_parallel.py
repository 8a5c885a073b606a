"""A refinement whose outputs are spread over devices in time."""

import dataclasses
from collections.abc import Callable

import jax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array

from .flow import count_fields
from .refiner import Refined, Refiner
from .shooting import Shooting


def time_parallel(refiner: Refiner, mesh: Mesh, axis: str = "time") -> Callable[[Array, Array], Refined]:
    """The same refinement with the outputs of a trajectory on several devices, each next to those that follow.

    A shooting residual needs one state from the left neighbour, so its evaluation holds one collective-permute whatever
    the number of outputs. The sources (`Sources`) gather one state per device; the estimate is a sum of one number.

    Args:
        refiner: with `Shooting` and `Adam`.
        mesh: has the axis; the outputs' number is a multiple of its size.
        axis: of the mesh.

    Returns:
        (prediction [b, *space, t], history [b, *space, h]) -> refined batch, outputs spread over the axis; jit it.

    Raises:
        ValueError: for another residual or optimiser; at the call, for outputs that do not divide.
    """
    if not isinstance(refiner.residual, Shooting):
        raise ValueError(
            f"residual: got {type(refiner.residual).__name__}, wanted Shooting, which needs one neighbouring state"
        )
    if count_fields(refiner.residual.equation) > 1:
        raise ValueError("equation: got several fields, whose times lie one after the other, wanted one field")
    spread = dataclasses.replace(refiner, residual=dataclasses.replace(refiner.residual, axis=axis), axis=axis)
    outputs = P(*[None] * (spread.residual.equation.grid.ndim + 1), axis)
    out = Refined(outputs, P(), P(), P(), P(), P(), P())  # pyright: ignore[reportArgumentType]
    one = jax.vmap(spread.refine_one)
    # The loop's carry begins with constants: its types cannot say what varies over the axis.
    return jax.shard_map(one, mesh=mesh, in_specs=(outputs, P()), out_specs=out, check_vma=False)
