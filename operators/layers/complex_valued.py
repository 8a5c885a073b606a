"""Complex functions through layers that know real ones."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Complex, Inexact


def componentwise(f: Callable[[Array], Array], z: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    """f of a real array; f(Re z) + i f(Im z) of a complex one."""
    return jax.lax.complex(f(z.real), f(z.imag)) if jnp.iscomplexobj(z) else f(z)


class ComplexValued(nnx.Module):
    """z -> (F Re z - G Im z) + i (F Im z + G Re z) with two layers F and G that know real functions.

    For a linear layer that is the product with F + i G. Biases, activations and norms inside F and G act as they stand.

    Args:
        layer: F; G starts as a copy of it.

    Source: Trabelsi et al., Deep Complex Networks, 2018; neuraloperator's `ComplexValued`.
    """

    def __init__(self, layer: nnx.Module) -> None:
        self.fr = layer
        self.fi = nnx.clone(layer)

    def __call__(self, z: Complex[Array, "*b c"], *args: Array | None) -> Complex[Array, "*b d"]:
        re, im = z.real, z.imag
        return jax.lax.complex(
            self.fr(re, *args) - self.fi(im, *args),
            self.fr(im, *args) + self.fi(re, *args),
        )


def of_data(layer: Any, complex_data: bool) -> Any:
    """The layer itself for real data (and None for None), `ComplexValued` of it for complex data."""
    return ComplexValued(layer) if complex_data and layer is not None else layer
