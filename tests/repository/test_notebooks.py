"""Notebooks run from top to bottom, and the two forms of each are the same notebook."""

import ast
import importlib.util
import os
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))


def cells(notebook) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_both_forms_agree_and_no_output_is_committed(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    assert cells(notebook) == cells(jupytext.read(source)), "run `jupytext --to ipynb notebooks/*.py`"
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """One folder of data for all notebooks, as a reader has: the second finds the sets of the first."""
    return tmp_path_factory.mktemp("datasets")


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_what_is_imported_is_there(source):
    """The names that its cells take from the packages, without running them."""
    cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    found = [node for text in cells for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    for node in found:
        assert node.module is not None
        module = importlib.import_module(node.module)
        for alias in node.names:
            assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}"), alias.name


# Jupyter's own event loop and sockets warn on some Python versions; that is not ours to mend.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "source",
    # The quickstart every day: each is a process that trains.
    [pytest.param(p, id=p.stem, marks=[] if p.stem.startswith("01") else [pytest.mark.slow]) for p in SOURCES],
)
def test_runs(source, monkeypatch, tmp_path, datasets):
    # The kernel is a fresh process with one device, as a reader's is.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("XLA_FLAGS", os.environ["QUICK_XLA_FLAGS"])
    monkeypatch.setenv("SPECTRAL_DATA", str(datasets))
    notebook = jupytext.read(source)
    NotebookClient(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    errors = [out for cell in notebook.cells for out in cell.get("outputs", []) if out["output_type"] == "error"]
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert not errors and len(pictures) >= 2
