"""What the whole-run tests share."""

import pytest


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One folder for data and runs: the set is made once per file of tests."""
    return tmp_path_factory.mktemp("runs")
