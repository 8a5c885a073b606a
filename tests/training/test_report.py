"""The report: valid, self-contained, escaped, and made from whatever files there are."""

import json
import re
from html.parser import HTMLParser

import pytest

from training.jsonl import JsonLines
from training.report import write_report

VOID = {"meta", "img", "br", "hr", "link"}
# The smallest picture: one white pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)


class Page(HTMLParser):
    """Collects text, links and ids, and checks that elements are closed in order."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def values(self, attribute):
        return [value for _, name, value in self.attributes if name == attribute]


@pytest.fixture
def run(tmp_path):
    run = tmp_path / "ns_<b>&-1a2b"
    (run / "plots").mkdir(parents=True)
    (run / "config.yaml").write_text("name: <script>alert(1)</script>\nseed: 0\n")
    rows = JsonLines(run / "metrics.jsonl")
    rows.log(1200, "train", {"loss": 0.5}, {})
    rows.close()
    return run


def finish(run):
    result = {
        "test/rel_l2": 0.03412,
        "test/rel_h1": 0.08,
        "test@128/rel_l2": float("nan"),
        "num_params": 1234567,
        "seconds_total": 3700.0,
        "seconds_per_step": 0.0123,
        "resumed_from_step": None,
        "devices": "1 x <cpu>",
        "git_revision": "0123456789abcdef",
        "versions": {"jax": "0.10.2", "flax": "0.12.8"},
    }
    (run / "result.json").write_text(json.dumps(result))
    (run / "parameters.json").write_text(json.dumps({"lift/w": [3, 32], "scale": []}))
    for name in ("test_fields", "test_spectra", "curves"):
        (run / "plots" / f"{name}.png").write_bytes(PNG)


def test_whole(run):
    finish(run)
    page = Page(write_report(run))
    text = " ".join(page.text)
    for expected in ("3.41%", "0.03412", "1,234,567", "1:01:40", "12.3 ms", "0.10.2", "revision 0123456789ab"):
        assert expected in text
    for expected in ("1 x <cpu>", "<script>alert(1)</script>", "ns_<b>&-1a2b", "2 arrays, 97 numbers", "not finite"):
        assert expected in text  # as text, not as elements
    assert "script" not in page.tags and "b" in page.tags
    sections = [value for tag, name, value in page.attributes if (tag, name) == ("h2", "id")]
    assert sections == [
        *("results", "training-curves", "predictions", "spectra", "parameters", "configuration", "environment")
    ]
    assert [f"#{section}" for section in sections] == page.values("href")
    assert len(set(page.values("id"))) == len(page.values("id"))


def test_self_contained_and_readable_on_a_phone(run):
    finish(run)
    path = write_report(run)
    page, source = Page(path), path.read_text()
    assert len(page.values("src")) == 3 and all(src.startswith("data:image/png;base64,") for src in page.values("src"))
    assert page.tags.count("img") == len(page.values("alt"))
    assert not re.search(r"https?://|<link|@import", source)
    assert "width=device-width" in source and source.startswith("<!DOCTYPE html>")


def test_unfinished_run(run):
    page = Page(write_report(run))
    text = " ".join(page.text)
    assert "not finished" in text and "1,200" in text and "last logged step" in text
    assert [value for tag, name, value in page.attributes if (tag, name) == ("h2", "id")] == ["configuration"]
    before = (run / "report.html").read_text()
    finish(run)
    write_report(run)
    assert (run / "report.html").read_text() != before and not list(run.glob("*.partial"))


def test_not_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config.yaml; wanted the directory of a run"):
        write_report(tmp_path)
