"""Photographs with holes, to be filled: real pictures that the package scikit-image ships."""

import dataclasses
import functools
import importlib.util
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from PIL import Image

from pdes.generators import FieldInfo, Generator
from pdes.generators.checks import check_shape, check_whole
from spectral.grid import Grid

# Files of skimage/data: photographs and micrographs; drawings, scans of text and pictures of two values are left out.
PICTURES = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
    "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Inpainting(Generator):
    """A picture of which square patches are missing -> the whole picture.

    A sample is a random crop, mirrored and turned at random, of one of the pictures: luminance in [0, 1], averaged over
    blocks of points. Every patch is missing with the same probability; there the input is 0 and the mask 1.

    Args:
        shape: points of a crop.
        pictures: the files that crops are from; test sets take others than the training set.
        reduce: points of a picture along every axis that become one.
        patch: points along the side of a missing patch; divides the crop.
        missing: probability of a patch.

    Raises:
        ValueError: for pictures that are not there, patches that do not fill the crop, or a probability outside [0, 1].
        ImportError: when called, without the extra `pictures`.

    Source: the pictures of scikit-image, see its README for their origins and licences; the task is that of Guibas et
        al., Adaptive Fourier Neural Operators, 2022, section on inpainting, in the small.
    """

    name: ClassVar[str] = "inpainting"
    grid_type: ClassVar[str] = "cell"
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"visible": (0,), "mask": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"picture": (0,)}

    shape: tuple[int, int] = (64, 64)
    pictures: tuple[str, ...] = PICTURES
    reduce: int = 2
    patch: int = 8
    missing: float = 0.3

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        check_whole(self, "reduce", "patch")
        if not self.pictures or not set(self.pictures) <= set(PICTURES):
            raise ValueError(f"pictures: got {self.pictures}, wanted some of {', '.join(PICTURES)}")
        if any(n % self.patch for n in self.shape):
            raise ValueError(f"patch: got {self.patch} for crops of {self.shape}, wanted a divisor of both; change one")
        if not 0 <= self.missing <= 1:
            raise ValueError(f"missing: got {self.missing}, wanted a probability in [0, 1]")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {
            "picture": FieldInfo((0.0,), "1", "luminance, 0 to 1"),
            "visible": FieldInfo((0.0,), "1", "luminance, 0 where patches are missing"),
            "mask": FieldInfo((0.0,), "1", "1 where patches are missing"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "pictures": " ".join(self.pictures),
            "reduce": float(self.reduce),
            "patch": float(self.patch),
            "missing": self.missing,
            "white": 1.0,  # the luminance of white, which scores of pictures are relative to
        }

    def resolves(self, shape: tuple[int, ...]) -> bool:
        return tuple(shape) == tuple(self.shape)

    @property
    def storable(self) -> str:
        return f"{self.shape}: a crop has one resolution"

    def solver_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(shape)

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """The crop as it is: `resolves` lets nothing else pass."""
        del shape
        return u

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t x y"]]:
        """One sample: picture, visible and mask, each [1, *shape]."""
        pictures, sizes = _read(self.pictures, self.reduce, self.shape)
        which, place, turn, hole = jax.random.split(key, 4)
        i = jax.random.randint(which, (), 0, len(self.pictures), jnp.int32)
        free = jnp.asarray(sizes)[i] - np.array(self.shape) + 1
        corner = jnp.floor(jax.random.uniform(place, (2,)) * free).astype(jnp.int32)
        crop = jax.lax.dynamic_slice(jnp.asarray(pictures), (i, corner[0], corner[1]), (1, *self.shape))[0]
        flips = jax.random.bernoulli(turn, shape=(2,))
        for axis in range(2):
            crop = jnp.where(flips[axis], jnp.flip(crop, axis), crop)
        patches = jax.random.bernoulli(hole, self.missing, tuple(n // self.patch for n in self.shape))
        mask = jnp.repeat(jnp.repeat(patches, self.patch, 0), self.patch, 1).astype(crop.dtype)
        return {"picture": crop[None], "visible": (crop * (1 - mask))[None], "mask": mask[None]}


@functools.lru_cache(maxsize=4)
def _read(names: tuple[str, ...], reduce: int, least: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The pictures, filled up with zeros to one size, and the size of each."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ImportError(
            "data.pictures needs the pictures of scikit-image: pip install 'spectral-operators[pictures]'"
        )
    found = [_luminance(Path(package.origin).parent / "data" / name, reduce) for name in names]
    sizes = np.array([picture.shape for picture in found], np.int32)
    if (sizes < least).any():
        small = [name for name, size in zip(names, sizes, strict=True) if (size < least).any()]
        raise ValueError(f"shape: got crops of {least} from {small}, which are smaller; lower reduce or the shape")
    stack = np.zeros((len(found), *sizes.max(0)))
    for i, picture in enumerate(found):
        stack[i, : picture.shape[0], : picture.shape[1]] = picture
    return stack, sizes


def _luminance(path: Path, reduce: int) -> np.ndarray:
    """The means of blocks of reduce x reduce points, in [0, 1]."""
    with Image.open(path) as image:
        values = np.asarray(image.convert("L"), np.float64) / 255
    height, width = (n - n % reduce for n in values.shape)
    return values[:height, :width].reshape(height // reduce, reduce, width // reduce, reduce).mean((1, 3))
