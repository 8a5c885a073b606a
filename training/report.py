"""One self-contained page per run, made from the files of its directory alone."""

import base64
import html
import math
import os
import string
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .console import format_duration, format_number
from .directory import read_json, write_text
from .jsonl import read_metrics
from .plots import PIXELS_PER_INCH

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --line: #dfe3e8; --card: #f6f8fa; --page: #ffffff;
  --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #333a43; --card: #1c2128;
  --page: #12161b; --accent: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; color: var(--ink); background: var(--page);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .8rem; padding-bottom: .3rem; font-size: 1.15rem; border-bottom: 2px solid var(--accent); }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
nav { margin: .8rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .95rem; }
a { color: var(--accent); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1.2rem 0 0;
  padding: 0; list-style: none; }
.cards li { padding: .7rem .9rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
.cards b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
td.n, th.n { text-align: right; }
figure { margin: 1rem 0 0; }
figcaption { margin: 0 0 .3rem; }
figure img { display: block; max-width: max(100%, 38rem); height: auto; border-radius: .5rem; background: #ffffff; }
pre { margin: 0; padding: .9rem 1rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); font-size: .85rem; line-height: 1.4; }
summary { cursor: pointer; color: var(--accent); }
"""

_RIGHT = ' class="n"'

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="soft">$subtitle</p>
<ul class="cards">
$cards
</ul>
<nav aria-label="Sections">$links</nav>
</header>
<main>
$sections
</main>
</body>
</html>
""")


def write_report(run_dir: str | os.PathLike) -> Path:
    """Write `report.html` into a run directory; run it again whenever the files changed.

    What is absent is left out.

    Args:
        run_dir: holds `config.yaml`, and some of `metrics.jsonl`, `result.json`, `parameters.json` (name -> shape)
            and `plots/*.png`.

    Returns:
        Path of the page. It needs no network and no other file.

    Raises:
        FileNotFoundError: not a run directory.
    """
    run = Path(run_dir)
    if not (run / "config.yaml").is_file():
        raise FileNotFoundError(f"run_dir: got {run}, which has no config.yaml; wanted the directory of a run")
    rows = read_metrics(run / "metrics.jsonl") if (run / "metrics.jsonl").is_file() else []
    result = read_json(run / "result.json")
    sections = {
        "Results": _results(result),
        "Training curves": _pictures(run, "curves*.png"),
        "Predictions": _pictures(run, "*fields*.png"),
        "Spectra": _pictures(run, "*spectra*.png"),
        "Refinement": _pictures(run, "refined*.png"),
        "Parameters": _parameters(read_json(run / "parameters.json")),
        "Configuration": f"<pre>{html.escape((run / 'config.yaml').read_text(encoding='utf-8').strip())}</pre>",
        "Environment": _environment(result),
    }
    sections = {title: body for title, body in sections.items() if body}
    page = _PAGE.substitute(
        title=html.escape(run.resolve().name),
        style=_STYLE,
        subtitle=_subtitle(rows, result),
        cards="\n".join(_cards(result, rows)),
        links=" ".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections),
        sections="\n".join(
            f'<section aria-labelledby="{_anchor(title)}">\n<h2 id="{_anchor(title)}">{title}</h2>\n{body}\n</section>'
            for title, body in sections.items()
        ),
    )
    path = run / "report.html"
    write_text(path, page)
    return path


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _number(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "not finite"
    return format_number(value) if isinstance(value, (int, float)) else html.escape(str(value))


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of escaped cells; columns of numbers stand to the right."""
    right = [all(isinstance(row[i], (int, float)) or row[i] == "" for row in rows) for i in range(len(head))]

    def line(values: Sequence[Any], tag: str) -> str:
        cells = zip(values, right, strict=True)
        return "".join(f"<{tag}{_RIGHT if numeric else ''}>{_number(value)}</{tag}>" for value, numeric in cells)

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="wide"><table>\n<thead><tr>{line(head, "th")}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table></div>"
    )


def _scores(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Set -> metric -> value, of the entries called set/metric."""
    scores: dict[str, dict[str, Any]] = {}
    for name, value in result.items():
        if "/" in name and isinstance(value, (int, float)):
            group, metric = name.rsplit("/", 1)
            scores.setdefault(group, {})[metric] = value
    return scores


def _results(result: Mapping[str, Any]) -> str:
    scores = _scores(result)
    metrics = list(dict.fromkeys(metric for values in scores.values() for metric in values))
    if not metrics:
        return ""
    return _table(
        ["set", *metrics], [[group, *(values.get(m, "") for m in metrics)] for group, values in scores.items()]
    )


def _cards(result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The numbers one looks for first: an error per set, size, time."""
    scores = _scores(result)
    # The relative L2 error is what papers report.
    first = {group: "rel_l2" if "rel_l2" in values else next(iter(values)) for group, values in scores.items()}
    cards = [(f"{group}, {metric}", scores[group][metric]) for group, metric in first.items()]
    cards = [
        (name, f"{value:.2%}" if name.split()[-1].startswith("rel_") else _number(value)) for name, value in cards[:4]
    ]
    named = {
        "num_params": ("parameters", format_number),
        "steps": ("optimizer steps", format_number),
        "seconds_total": ("wall time", format_duration),
        "seconds_per_step": ("per step", lambda seconds: f"{1e3 * seconds:.3g} ms"),
        "samples_per_second": ("samples per second", format_number),
    }
    cards += [(title, show(result[name])) for name, (title, show) in named.items() if result.get(name) is not None]
    if not result and rows:
        cards.append(("last logged step", format_number(rows[-1]["step"])))
    return [
        f'<li><b>{html.escape(text)}</b> <span class="soft">{html.escape(name)}</span></li>' for name, text in cards
    ]


def _subtitle(rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> str:
    parts = ["" if result else "not finished"]
    if rows and "time" in rows[-1].get("wall", {}):
        parts.append(f"{datetime.fromtimestamp(rows[-1]['wall']['time'], UTC):%Y-%m-%d %H:%M} UTC")
    parts += [
        str(result.get("devices", "")),
        f"revision {result['git_revision'][:12]}" if "git_revision" in result else "",
    ]
    return html.escape(" · ".join(part for part in parts if part))


def _pictures(run: Path, pattern: str) -> str:
    figures = []
    for path in sorted((run / "plots").glob(pattern), key=lambda path: (len(path.stem), path.stem)):
        content = path.read_bytes()
        # The header of a PNG holds its width; at 96 pixels an inch the letters are as large as those of the page.
        width = int.from_bytes(content[16:20], "big") * 96 // PIXELS_PER_INCH
        caption = html.escape(path.stem.replace("_", " "))
        data = base64.b64encode(content).decode("ascii")
        image = f'<img width="{width}" alt="{caption}" src="data:image/png;base64,{data}">'
        above = f"<figcaption>{caption}</figcaption>" if "_" in path.stem else ""
        figures.append(f'<figure>{above}<div class="wide">{image}</div></figure>')
    return "\n".join(figures)


def _parameters(shapes: Mapping[str, Sequence[int]]) -> str:
    if not shapes:
        return ""
    rows = [(name, " × ".join(map(str, shape)) or "scalar", math.prod(shape)) for name, shape in shapes.items()]
    total = sum(count for *_, count in rows)
    return (
        f"<details><summary>{len(rows)} arrays, {total:,} numbers</summary>\n"
        + _table(["name", "shape", "numbers"], rows)
        + "</details>"
    )


def _environment(result: Mapping[str, Any]) -> str:
    shown = {"versions", "num_params"}
    rows = [
        (name, value) for name, value in result.items() if "/" not in name and name not in shown and value is not None
    ]
    rows += [(name, str(version)) for name, version in result.get("versions", {}).items()]
    return _table(["name", "value"], rows) if rows else ""
