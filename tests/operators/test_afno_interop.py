"""Published weights of AFNO networks: the layouts, and the same function as NumPy makes of them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, sample

from operators import AFNONet, ModAFNO
from operators.afno_classifier import AFNOClassifier
from operators.interop import load_afno, load_modafno

E, C, OUT, P, H, W, DEPTH, NB = 8, 2, 3, 2, 4, 6, 2, 2
NET = {"grid": (H * P, W * P), "patch_size": P, "embed_dim": E, "depth": DEPTH, "mlp_ratio": 2}


def draw(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: (0.3 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def network(mixer: dict[str, tuple[int, ...]], head: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published layout."""
    shapes = {"pos_embed": (1, H * W, E), "patch_embed.proj.weight": (E, C, P, P), "patch_embed.proj.bias": (E,)}
    for layer in range(DEPTH):
        block = {"norm1.weight": (E,), "norm1.bias": (E,), "norm2.weight": (E,), "norm2.bias": (E,)}
        block |= {f"filter.{name}": shape for name, shape in mixer.items()}
        block |= {"mlp.fc1.weight": (2 * E, E), "mlp.fc1.bias": (2 * E,)}
        block |= {"mlp.fc2.weight": (E, 2 * E), "mlp.fc2.bias": (E,)}
        shapes |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    return shapes | {"norm.weight": (E,), "norm.bias": (E,)} | {f"head.{name}": shape for name, shape in head.items()}


S = E // NB
AFNO = {"w1": (2, NB, S, S), "b1": (2, NB, S), "w2": (2, NB, S, S), "b2": (2, NB, S)}
FILTER = {"complex_weight": (H, W // 2 + 1, E, 2)}
PIXELS = {"weight": (OUT * P * P, E)}
CLASSES = {"weight": (5, E), "bias": (5,)}


def layer_norm(x, weights, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def afno2d(x, weights, name, columns, modulate=lambda z: z):
    """The published mixer with complex numbers: unshifted spectrum, the first columns."""
    w1, b1, w2, b2 = (
        weights[f"{name}.{part}"][0] + 1j * weights[f"{name}.{part}"][1] for part in ("w1", "b1", "w2", "b2")
    )
    spectrum = np.fft.rfft2(x, axes=(1, 2), norm="ortho")
    kept = spectrum[:, :, :columns].reshape(*spectrum.shape[:2], columns, NB, S)
    z = modulate(np.einsum("...bi,bio->...bo", kept, w1) + b1)
    z = np.maximum(z.real, 0) + 1j * np.maximum(z.imag, 0)
    z = np.einsum("...bi,bio->...bo", z, w2) + b2

    def soft(v):
        return np.sign(v) * np.maximum(np.abs(v) - 0.01, 0)

    out = np.zeros_like(spectrum)
    out[:, :, :columns] = (soft(z.real) + 1j * soft(z.imag)).reshape(*kept.shape[:3], E)
    return np.fft.irfft2(out, s=x.shape[1:3], axes=(1, 2), norm="ortho") + x


def tokens(u, weights):
    """A convolution with stride and kernel P, channels first, as a loop."""
    x = np.zeros((len(u), H, W, E))
    for i in range(H):
        for j in range(W):
            patch = u[:, i * P : (i + 1) * P, j * P : (j + 1) * P].transpose(0, 3, 1, 2)
            x[:, i, j] = np.einsum("bcpq,ecpq->be", patch, weights["patch_embed.proj.weight"])
    return x + weights["patch_embed.proj.bias"] + weights["pos_embed"].reshape(1, H, W, E)


def pixels(x, weights):
    """ "b h w (p1 p2 c) -> b (h p1) (w p2) c"."""
    y = linear(x, weights, "head").reshape(-1, H, W, P, P, OUT)
    return y.transpose(0, 1, 3, 2, 4, 5).reshape(-1, H * P, W * P, OUT)


def blocks(x, weights, mix, double_skip):
    for layer in range(DEPTH):
        name = f"blocks.{layer}"
        residual, x = x, mix(layer_norm(x, weights, f"{name}.norm1"), f"{name}.filter")
        if double_skip:
            residual = x = x + residual
        x = gelu(linear(layer_norm(x, weights, f"{name}.norm2"), weights, f"{name}.mlp.fc1"))
        x = linear(x, weights, f"{name}.mlp.fc2") + residual
    return x


def test_fourcastnet():
    """Its final norm is in the file and never called; at 4 x 6 tokens it mixes 3 of 4 columns."""
    weights = draw(network(AFNO, PIXELS))
    operator = nnx.eval_shape(lambda: AFNONet(C, OUT, **NET, num_blocks=NB, truncation="fourcastnet", rngs=nnx.Rngs(0)))
    load_afno(operator, {f"module.{name}": value for name, value in weights.items()})
    u = sample(2, H * P, W * P, C)

    def mix(x, name):
        return afno2d(x, weights, name, H // 2 + 1)

    want = pixels(blocks(tokens(np.asarray(u), weights), weights, mix, True), weights)
    # Round-off of float32 through two blocks.
    np.testing.assert_allclose(apply(operator, u), want, atol=2e-5)


def test_classifiers():
    for mixer, shapes in (("afno", AFNO), ("global_filter", FILTER)):
        weights = draw(network(shapes, CLASSES))
        options = {"num_blocks": NB} if mixer == "afno" else {}
        operator = nnx.eval_shape(
            lambda mixer=mixer, options=options: AFNOClassifier(
                C, 5, **NET, mixer=mixer, double_skip=False, **options, rngs=nnx.Rngs(0)
            )
        )
        load_afno(operator, weights)
        u = sample(2, H * P, W * P, C)

        def mix(x, name, mixer=mixer, weights=weights):
            if mixer == "afno":
                return afno2d(x, weights, name, W // 2 + 1)
            w = weights[f"{name}.complex_weight"]
            spectrum = np.fft.rfft2(x, axes=(1, 2), norm="ortho") * (w[..., 0] + 1j * w[..., 1])
            return np.fft.irfft2(spectrum, s=x.shape[1:3], axes=(1, 2), norm="ortho")

        x = layer_norm(blocks(tokens(np.asarray(u), weights), weights, mix, False), weights, "norm")
        np.testing.assert_allclose(apply(operator, u), linear(x.mean((1, 2)), weights, "head"), atol=2e-5)


@pytest.mark.parametrize("mode", ["complex", "real"])
def test_modafno(mode):
    parts, mod = (2 if mode == "complex" else 1), 4
    shapes = network(AFNO, PIXELS)
    del shapes["norm.weight"], shapes["norm.bias"]
    for layer in range(DEPTH):
        for name, width in (("filter", E * parts), ("mlp", 2 * E)):
            net = f"blocks.{layer}.{name}.scale_shift.net"
            shapes |= {f"{net}.0.weight": (2 * width, mod), f"{net}.0.bias": (2 * width,)}
            shapes |= {f"{net}.2.weight": (2 * width, 2 * width), f"{net}.2.bias": (2 * width,)}
    shapes |= {"mod_embed_net.mlp.0.weight": (mod, mod), "mod_embed_net.mlp.0.bias": (mod,)}
    shapes |= {"mod_additive_proj.weight": (E, mod), "mod_additive_proj.bias": (E,)}
    weights = draw(shapes)
    options = {"mod_dim": mod, "max_time": 6.0, "scale_shift_mode": mode, "truncation": "fourcastnet"}
    operator = nnx.eval_shape(lambda: ModAFNO(C, OUT, **NET, num_blocks=NB, **options, rngs=nnx.Rngs(0)))
    buffers = {"device_buffer": np.zeros(0), "mod_embed_net.sinusoid_embed.freqs": np.pi * np.arange(1, 3)}
    load_modafno(operator, weights | buffers)
    u, times = sample(2, H * P, W * P, C), np.array([1.0, 4.0])

    angles = times[:, None] / 6 * np.pi * np.arange(1, 3)
    e = gelu(linear(np.concatenate([np.cos(angles), np.sin(angles)], 1), weights, "mod_embed_net.mlp.0"))

    def scale_shift(name):
        hidden = gelu(linear(e, weights, f"{name}.scale_shift.net.0"))
        scale, shift = np.split(linear(hidden, weights, f"{name}.scale_shift.net.2"), 2, axis=1)
        return 1 + scale, shift

    def modulated(z, name):
        scale, shift = (a.reshape(2, parts, 1, 1, NB, S) for a in scale_shift(name))
        if mode == "real":
            return z * scale[:, 0] + shift[:, 0] * (1 + 1j)
        return z * (scale[:, 0] + 1j * scale[:, 1]) + shift[:, 0] + 1j * shift[:, 1]

    x = tokens(np.asarray(u), weights) + linear(e, weights, "mod_additive_proj")[:, None, None]
    for layer in range(DEPTH):
        name = f"blocks.{layer}"
        normed = layer_norm(x, weights, f"{name}.norm1")
        x = x + afno2d(normed, weights, f"{name}.filter", H // 2 + 1, lambda z, n=name: modulated(z, f"{n}.filter"))
        z = linear(layer_norm(x, weights, f"{name}.norm2"), weights, f"{name}.mlp.fc1")
        scale, shift = (a[:, None, None] for a in scale_shift(f"{name}.mlp"))
        x = x + linear(gelu(z * scale + shift), weights, f"{name}.mlp.fc2")
    got = jax.jit(lambda operator, u, time: operator(u, time=time))(operator, u, jnp.asarray(times, jnp.float32))
    want = pixels(x, weights)
    np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


def test_what_does_not_fit_is_listed():
    weights = draw(network(AFNO, PIXELS))
    weights["blocks.0.filter.w1"] = weights["blocks.0.filter.w1"][:1]
    del weights["head.weight"]

    def make(**options):
        return nnx.eval_shape(lambda: AFNONet(C, OUT, **NET, num_blocks=NB, rngs=nnx.Rngs(0), **options))

    with pytest.raises(
        ValueError, match=r"2 of .* do not fit.*\n.*filter\.w1: got real \[1, 2, 4, 4\].*\n.*head\.weight"
    ):
        load_afno(make(), weights)
    with pytest.raises(ValueError, match=r"without a counterpart in its code \(.*spatial_bias"):
        load_afno(make(bias="spatial"), weights)
