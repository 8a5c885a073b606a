"""Pictures with holes: what a sample is made of."""

import importlib.util

import jax
import numpy as np
import pytest
from PIL import Image

from data import pictures
from data.pictures import Inpainting


@pytest.fixture
def two_pictures(tmp_path, monkeypatch):
    """A package with two pictures of other sizes in the place of scikit-image."""
    folder = tmp_path / "skimage" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    rng = np.random.default_rng(0)
    for name, shape in (("camera.png", (40, 64)), ("coins.png", (52, 44))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / name)
    spec = importlib.util.spec_from_file_location("skimage", folder.parent / "__init__.py")
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: spec)
    pictures._read.cache_clear()
    yield folder
    pictures._read.cache_clear()


def test_a_sample(two_pictures, x64):
    generator = Inpainting(shape=(16, 8), pictures=("camera.png", "coins.png"), patch=4, missing=0.5)
    sample = jax.jit(generator)(jax.random.key(3))
    picture, visible, mask = (np.asarray(sample[name][0]) for name in ("picture", "visible", "mask"))
    assert picture.shape == (16, 8) and picture.min() >= 0 and picture.max() <= 1
    np.testing.assert_array_equal(visible, np.where(mask == 1, 0, picture))
    # Whole patches are missing, some of them.
    patches = mask.reshape(4, 4, 2, 4).transpose(0, 2, 1, 3).reshape(8, 16)
    assert set(patches.mean(1)) == {0, 1}
    # It is a crop of one of them, at half the resolution, perhaps mirrored.
    found = False
    for name in ("camera.png", "coins.png"):
        values = np.asarray(Image.open(two_pictures / name), np.float64) / 255
        half = values.reshape(values.shape[0] // 2, 2, values.shape[1] // 2, 2).mean((1, 3))
        windows = np.lib.stride_tricks.sliding_window_view(half, (16, 8))
        for turned in (picture, picture[::-1], picture[:, ::-1], picture[::-1, ::-1]):
            found |= bool((np.abs(windows - turned).max((2, 3)) < 1e-6).any())
    assert found


def test_samples_differ_and_come_again(two_pictures):
    generator = Inpainting(shape=(8, 8), pictures=("camera.png",), patch=8)
    one, again, other = (np.asarray(generator(jax.random.key(seed))["picture"]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    assert not generator.resolves((16, 16)) and generator.resolves((8, 8))


def test_what_is_refused(two_pictures, monkeypatch):
    for options, match in (
        ({"pictures": ("cat.png",)}, "pictures: got .*wanted some of astronaut.png"),
        ({"patch": 7}, "patch: got 7 for crops"),
        ({"missing": 1.5}, "missing: got 1.5"),
    ):
        with pytest.raises(ValueError, match=match):
            Inpainting(**options)
    with pytest.raises(ValueError, match=r"crops of \(32, 32\) from \['camera.png'"):
        Inpainting(shape=(32, 32), pictures=("camera.png",))(jax.random.key(0))
    pictures._read.cache_clear()
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"spectral-operators\[pictures\]"):
        Inpainting(pictures=("camera.png",))(jax.random.key(0))
