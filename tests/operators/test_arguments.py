"""Every bad argument is one ValueError that names it, says what was wanted, and what to do."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import config

from operators import DPOT, FFNO, FNO, MGTFNO, TFNO, UNO, AFNONet, ModAFNO
from operators.base import Operator
from operators.layers.fno_block import FNOBlock
from operators.layers.spectral_conv import SpectralConv

PLAIN = {"n_modes": (4, 4), "in_channels": 1, "out_channels": 1, "hidden_channels": 4, "n_layers": 2}
PATCHES = {
    **{"in_channels": 1, "out_channels": 1, "grid": (8, 8), "patch_size": 1, "embed_dim": 8, "depth": 1},
    "num_blocks": 2,
}
ARGUMENTS = {
    FNO: PLAIN,
    TFNO: PLAIN,
    FFNO: PLAIN,
    UNO: {
        **{"in_channels": 1, "out_channels": 1, "hidden_channels": 4, "n_layers": 2, "lifting_channels": 4},
        **{"projection_channels": 4, "uno_out_channels": (4, 4), "uno_n_modes": ((4, 4),) * 2, "uno_scalings": (1, 1)},
    },
    MGTFNO: {
        **{"in_channels": 1, "out_channels": 1},
        "trunk": functools.partial(FNO, (4, 4), hidden_channels=4, n_layers=1),
    },
    AFNONet: PATCHES,
    DPOT: PATCHES | {"n_steps": 1},
    ModAFNO: PATCHES,
    FNOBlock: {"channels": 4, "n_modes": (4, 4), "activate": True, "non_linearity": jax.nn.relu},
    SpectralConv: {"in_channels": 4, "out_channels": 4, "n_modes": (4, 4)},
}
WHOLE = {
    FNO: ("in_channels", "out_channels", "hidden_channels", "n_layers", "norm_groups"),
    TFNO: ("in_channels", "hidden_channels"),
    UNO: ("in_channels", "out_channels", "hidden_channels", "n_layers", "lifting_channels", "projection_channels"),
    FFNO: ("in_channels", "out_channels", "hidden_channels", "n_layers", "projection_channels"),
    MGTFNO: ("in_channels", "out_channels", "levels", "ndim"),
    AFNONet: ("in_channels", "out_channels", "ndim", "embed_dim", "depth", "num_blocks", "hidden_size_factor"),
    DPOT: ("in_channels", "out_channels", "ndim", "embed_dim", "depth", "num_blocks", "n_steps", "out_layer_dim"),
    ModAFNO: ("in_channels", "out_channels", "ndim", "embed_dim", "depth", "num_blocks", "mod_dim"),
    SpectralConv: ("in_channels", "out_channels"),
}
FLAGS = {
    FNO: (
        "complex_data",
        "joint_factorization",
        "scan_layers",
        "remat",
        "separable",
        "use_channel_mlp",
        "preactivation",
    ),
    TFNO: ("joint_factorization", "bias"),
    UNO: ("complex_data", "preactivation"),
    FFNO: ("share_weight", "weight_norm", "layer_norm", "remat"),
    MGTFNO: ("antialias", "global_coordinates"),
    AFNONet: ("double_skip", "final_norm", "remat", "relative_threshold"),
    ModAFNO: ("double_skip",),
    FNOBlock: ("activate",),
    SpectralConv: ("own_weight", "bias", "separable", "complex_data"),
}
CHOICES = {
    FNO: ("positional_embedding", "domain_padding_mode", "non_linearity", "norm", "stabilizer", "fno_skip", "compat"),
    TFNO: ("factorization", "implementation", "spectral_dtype"),
    UNO: ("positional_embedding", "domain_padding_mode", "horizontal_skip", "channel_mlp_skip", "compat"),
    FFNO: ("positional_embedding", "domain_padding_mode", "non_linearity"),
    AFNONet: ("position", "norm", "mixer", "truncation", "non_linearity", "shrink", "bias", "inner_skip", "init"),
    ModAFNO: ("scale_shift_mode", "truncation"),
}
NUMBERS = {
    FNO: ("lifting_channel_ratio", "projection_channel_ratio", "channel_mlp_expansion", "domain_padding"),
    TFNO: ("rank",),
    FFNO: ("factor", "gain", "domain_padding"),
    MGTFNO: ("padding_fraction",),
    AFNONet: ("mlp_ratio", "hard_thresholding_fraction"),
    DPOT: ("mlp_ratio",),
    ModAFNO: ("mlp_ratio", "max_time"),
}
OTHERS = [
    (FNO, {"lifting_channel_ratio": 0}, "lifting_channel_ratio: got 0, wanted a ratio that leaves a channel of 4"),
    (FNO, {"channel_mlp_expansion": 0.01}, "channel_mlp_expansion: got 0.01"),
    (FNO, {"use_channel_mlp": False, "channel_mlp_skip": "conv"}, "channel_mlp_skip: got 'conv'"),
    (FNO, {"n_modes": (True, 4)}, "n_modes: got"),
    (FNO, {"max_n_modes": (0, 4)}, "max_n_modes: got"),
    (FNO, {"domain_padding": (0.1, 0.1, 0.1)}, "domain_padding: got .* a list of 2"),
    (FNO, {"domain_padding": {0.1, 0.2}}, "domain_padding: got"),
    (FNO, {"resolution_scaling_factor": "x"}, "resolution_scaling_factor: got 'x'"),
    (FNO, {"resolution_scaling_factor": True}, "resolution_scaling_factor: got True"),
    (FNO, {"resolution_scaling_factor": [1, None]}, "resolution_scaling_factor: got"),
    (FNO, {"norm": "group_norm", "norm_groups": 3}, "norm_groups: got 3 for 4 channels"),
    (FNO, {"norm": "ada_in"}, "ada_in_features: got None, .* embedding=.. when calling"),
    (FNO, {"norm": "ada_in", "ada_in_features": "a"}, "ada_in_features: got 'a'"),
    (FNO, {"rank": "x"}, "rank: got 'x'"),
    (FNO, {"rngs": None}, r"rngs: got None, .* give rngs=nnx.Rngs\(0\)"),
    (FNO, {"hidden_chanels": 4}, "hidden_chanels: got 4, wanted an option of FNO; did you mean hidden_channels"),
    (FNO, {"own_weight": False}, "own_weight: got False, wanted an option of FNO;"),
    (TFNO, {"facotrization": "CP"}, "facotrization: got 'CP', wanted an option of TFNO; did you mean factorization"),
    (UNO, {"zzz": 4}, "zzz: got 4, wanted an option of UNO; it has .*uno_n_modes"),
    (TFNO, {"rank": 1e9}, "rank: got .* up to 100"),
    (TFNO, {"rank": 10**9}, "rank: got .* whole numbers from 1 to 192"),
    (TFNO, {"rank": True}, "rank: got True"),
    (UNO, {"uno_out_channels": 24}, "uno_out_channels: got 24, wanted a list of n_layers=2"),
    (UNO, {"uno_out_channels": (4, 0)}, r"uno_out_channels\[1\]: got 0"),
    (UNO, {"uno_scalings": 0.5}, "uno_scalings: got 0.5, wanted a list of n_layers=2"),
    (UNO, {"uno_scalings": None}, "uno_scalings: got None, wanted a list of n_layers=2"),
    (UNO, {"uno_n_modes": 4}, "uno_n_modes: got 4, wanted a list of n_layers=2"),
    (UNO, {"uno_n_modes": ((4, 4), "a")}, r"uno_n_modes\[1\]: got 'a'"),
    (UNO, {"horizontal_skips_map": [0, 1]}, r"horizontal_skips_map: got \[0, 1\]"),
    (UNO, {"horizontal_skips_map": 3}, "horizontal_skips_map: got 3"),
    (UNO, {"horizontal_skips_map": {1: 0.5}}, r"horizontal_skips_map: got \{1: 0.5\}"),
    (UNO, {"horizontal_skips_map": {True: 0}}, r"horizontal_skips_map: got \{True: 0\}"),
    (UNO, {"horizontal_skips_map": {1: 0, "1": 0}}, "horizontal_skips_map: got"),
    (MGTFNO, {"padding_fraction": 0.9}, "padding_fraction: got 0.9, wanted .* below 0.5"),
    (MGTFNO, {"trunk": None}, "trunk: got None, wanted a function of .* such as functools.partial"),
    (MGTFNO, {"trunk": FNO}, "trunk: got .* missing"),
    (MGTFNO, {"trunk": lambda in_channels, out_channels, rngs: 3}, "trunk: got .* not of class int"),
]
TABLE = [
    *(
        (make, {name: bad}, f"{name}: got")
        for make, names in WHOLE.items()
        for name in names
        for bad in (-1, 1.5, "a", True)
    ),
    *(
        (make, {name: bad}, f"{name}: got {bad!r}")
        for make, names in FLAGS.items()
        for name in names
        for bad in ("no", 1)
    ),
    *(
        (make, {name: bad}, f"{name}: got")
        for make, names in CHOICES.items()
        for name in names
        for bad in ("conv", 3, [1])
    ),
    *(
        (make, {name: bad}, f"{name}: got")
        for make, names in NUMBERS.items()
        for name in names
        for bad in ("x", np.nan, np.inf, -1.0, True)
    ),
    *OTHERS,
]


@pytest.fixture(autouse=True)
def unchecked(monkeypatch):
    """As users have it: the types of arguments are not checked."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)


def build(make, **options):
    return nnx.eval_shape(lambda: make(**{**ARGUMENTS[make], "rngs": nnx.Rngs(0), **options}))


@pytest.mark.parametrize("make", ARGUMENTS)
def test_the_table_begins_with_what_is_right(make):
    assert build(make)


@pytest.mark.parametrize(("make", "options", "match"), TABLE, ids=[f"{i} {row[2]}" for i, row in enumerate(TABLE)])
def test_bad_arguments_are_named(make, options, match):
    with pytest.raises(ValueError, match=f"^{match}") as error:
        build(make, **options)
    assert "wanted" in str(error.value) and ";" in str(error.value)


def test_numbers_of_numpy_are_numbers():
    build(FNO, n_layers=np.int64(1), remat=np.True_, domain_padding=np.float32(0.1), rank=np.float64(0.5))
    build(FFNO, gain=0, factor=np.float32(1.5))
    assert isinstance(build(UNO, hidden_channels=np.int32(4), horizontal_skips_map={"1": "0"}).hidden_channels, int)


OPERATORS = [make for make in ARGUMENTS if issubclass(make, Operator)]
built = functools.cache(build)


@pytest.mark.parametrize("make", OPERATORS)
@pytest.mark.parametrize(
    ("u", "match"),
    [
        (np.ones((2, 8, 8, 1), np.int32), r"u: got int32, wanted floating-point numbers; use u.astype\(jnp.float32\)"),
        (np.ones((2, 8, 8, 1), bool), "u: got bool, wanted floating-point numbers"),
        ([[[[1.0]]]], r"u: got a list, wanted an array; use jnp.asarray"),
        (np.ones((8, 1), np.float32), "u: got shape"),
        (np.ones((8, 8, 1), np.complex64), "u: got complex64, wanted real numbers"),
    ],
    ids=["int", "bool", "list", "axes", "complex"],
)
def test_bad_inputs_are_named(make, u, match):
    with pytest.raises(ValueError, match=match):
        built(make)(u)


@pytest.mark.parametrize("make", OPERATORS)
@pytest.mark.parametrize("shape", [(32,), 32, (8, 0), (8.0, 8.0), "88"], ids=str)
def test_bad_grids_are_named(make, shape):
    operator = built(make)
    u = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)
    with pytest.raises(
        ValueError, match=r"output_shape: got .* tuple of 2 positive whole numbers, one per axis; such as"
    ):
        jax.eval_shape(lambda operator, u: operator(u, shape), operator, u)
    with pytest.raises(ValueError, match=r"shape: got .* tuple of 2 positive"):
        operator.check_grid(shape)


def test_the_wrapped_operator_knows_its_grids():
    assert build(TFNO).mode_grids((9, 8)) == build(FNO).mode_grids((9, 8)) == [("n_modes", (4, 4), (9, 8))]
