"""Every global name that a function reads is there. Axis names in strings switch that rule off in the linters."""

import builtins
import dis
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("spectral", "operators", "pdes", "data", "training")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if path.stem != "__main__"]


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and all that are in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def missing(source: str, where: str, known: set[str]) -> set[tuple[str, str]]:
    """(function, name) of every global that is read and not known."""
    return {
        (code.co_name, step.argval)
        for code in codes(compile(source, where, "exec"))
        for step in dis.get_instructions(code)
        if step.opname == "LOAD_GLOBAL" and step.argval not in known
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_global_name_is_there(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert not missing(path.read_text(), path.name, {*vars(module), *vars(builtins)})


def test_a_name_that_is_not_there_is_seen():
    assert missing("def f(x):\n    return grid + len(x)", "", set(vars(builtins))) == {("f", "grid")}
