"""Multi-grid patches around any operator: the multi-grid tensorised Fourier neural operator."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from spectral.filters import resize

from .base import Operator
from .layers import patching
from .layers.arguments import flag, points, random_streams, shares, whole
from .layers.batches import flatten
from .layers.inner import make_inner
from .layers.patch_mesh import mesh_names, on_patches


class MGTFNO(Operator):
    """An operator applied to patches of the domain, each with its surroundings at coarser levels as more channels.

    v = stitch(trunk(patches(u))): on every axis 2^levels patches with a halo of padding_fraction of the whole axis at
    both ends; the trunk takes levels + 1 times the channels (see `layers.patching`), and what it gives on the halo is
    dropped. The trunk sees a patch as periodic: the halo keeps that error off the patch. The domain is periodic.

    Where a mesh with an axis "patch_x" ("patch_y", "patch_z") is current, the patches along that axis are spread over
    its devices (see `layers.patch_mesh`).

    Args:
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        trunk: makes the operator of a patch: called with `in_channels`, `out_channels` and `rngs`, such as
            `functools.partial(TFNO, (16, 16), hidden_channels=32, positional_embedding=None)`.
        levels: levels of patching; 0 is the trunk on the whole domain.
        padding_fraction: halo at each end of a patch as a share of the whole axis, one for all axes or one per axis.
        global_coordinates: whether the coordinates of the whole domain, in [0, 1), are channels of every level. Those
            of a patch, which know no place in the domain, are the trunk's `positional_embedding`.
        antialias: whether the coarse levels are filtered before they are sampled.
        ndim: spatial axes of the trunk.
        rngs: random streams.

    Raises:
        ValueError: for negative levels, halos that are negative or half the axis, or a trunk that makes no operator of
            that many axes.

    Accuracy:
        At levels 0 exactly the trunk. A grid that does not divide by 4^levels, on which `check_grid` refuses to train,
        is resampled to the next one that does, and the output back, by the trigonometric interpolant; so is the
        output for another `output_shape`.

    Source: Kossaifi et al., Multi-Grid Tensorized Fourier Neural Operator for High-Resolution PDEs, 2023. Global
        coordinates as in the paper; the neuraloperator library, 2.0, gives those of the patch alone.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        trunk: Callable[..., Operator],
        levels: int = 1,
        padding_fraction: int | float | Sequence[int | float] = 0.125,
        global_coordinates: bool = True,
        antialias: bool = False,
        ndim: int = 2,
        rngs: nnx.Rngs,
    ) -> None:
        self.ndim, self.levels = whole("ndim", ndim), whole("levels", levels, least=0)
        # Both halos of a patch together are less than the axis: with more it would see points twice.
        self.padding_fraction = shares("padding_fraction", padding_fraction, self.ndim, below=0.5)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.antialias = flag("antialias", antialias)
        self.global_coordinates = flag("global_coordinates", global_coordinates)
        per_level = self.in_channels + (self.ndim if self.global_coordinates else 0)
        self.trunk = make_inner(
            "trunk",
            trunk,
            in_channels=per_level * (self.levels + 1),
            out_channels=self.out_channels,
            rngs=random_streams(rngs),
        )
        if self.trunk.ndim != ndim:
            raise ValueError(
                f"trunk: got an operator of {self.trunk.ndim} axes, wanted {ndim}; set ndim or its n_modes"
            )

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`."""
        x = flatten(u, self.ndim, self.in_channels)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        target = shape if output_shape is None else points("output_shape", output_shape, self.ndim)
        v = _resized(x, patching.aligned_shape(shape, self.levels))
        # By way of the input's grid, so that outputs on two grids are samples of one function.
        v = _resized(_resized(self._stitched(v), shape), target)
        return v.reshape(*batch, *v.shape[1:])

    @property
    def patches(self) -> tuple[int, ...]:
        """Patches per axis."""
        return (2**self.levels,) * self.ndim

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to train on a grid that cannot be cut, or whose patches cannot hold the trunk's modes.

        Raises:
            ValueError: see `layers.patching.patch_size` and `Operator.check_grid`.
        """
        shape = points("shape", shape, self.ndim)
        self.trunk.check_grid(tuple(h + 2 * p for h, p in zip(*self._patch(shape), strict=True)))

    def _patch(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Points of a patch, and of the padding at each of its ends, per axis."""
        return patching.patch_size(shape, self.levels), patching.padding_points(shape, self.padding_fraction)

    def _stitched(self, u: Float[Array, "b *space ci"]) -> Float[Array, "b *space co"]:
        """The operator on a grid that can be cut."""
        shape = u.shape[1:-1]
        size, padding = self._patch(shape)
        names = mesh_names(self.patches)
        fields = patching.pyramid(u, self.levels, antialias=self.antialias, spread=any(names))
        lines = ()
        if self.global_coordinates:
            # Known to every device: as channels of the field they would be sent with the halos.
            points = [patching.window_points(s, self.levels, p) for s, p in zip(shape, padding, strict=True)]
            lines = tuple(jnp.asarray(line / s, u.dtype) for line, s in zip(points, shape, strict=True))

        def local(trunk: Operator, fields: tuple[jax.Array, ...], lines: tuple[jax.Array, ...]) -> jax.Array:
            patches = patching.cut(fields, size, padding, names)
            if lines:
                patches = patching.with_coordinates(patches, lines)
            return patching.stitch(trunk(patches), padding)

        return on_patches(local, self.trunk, fields, lines, names)


def _resized(u: Float[Array, "b *space c"], shape: tuple[int, ...]) -> Float[Array, "b *outspace c"]:
    return u if u.shape[1:-1] == shape else resize(u, shape, tuple(range(1, u.ndim - 1)))
