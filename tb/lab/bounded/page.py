"""The page of the experiment: criteria, plots, answers, tables; one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tb.lab.bounded import plots
from tb.lab.bounded.criteria import ran, title, us
from tb.run.page import pages
from tb.run.provenance import shown_commit

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
Record = dict[str, Any]
GROUPS = {
    "contention": "Load against configuration",
    "controls": "Controls, one at a time and together",
    "model": "Model and quantisation",
    "context": "Context",
    "streams": "Streams",
    "sampling": "Sampling",
    "scheduler": "Schedulers, four streams",
    "large": "The largest geometry",
}


def write_page(results: Record, path: Path) -> None:
    """Write the page."""
    text = (
        pages(TEMPLATES)
        .get_template("bounded.html.j2")
        .render(
            results=results,
            about=f"{results['time']} · {shown_commit(results)} · {results['settings']['seeds']} seeds",
            criteria=[(name.replace("_", " "), one, _value(one["value"])) for name, one in results["criteria"].items()],
            plots=plots.drawn(results),
            terms=_terms(results),
            groups=[(heading, _rows(results, group)) for group, heading in GROUPS.items() if _rows(results, group)],
        )
    )
    path.write_text(text)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "none" if value == [] else str(value)


def _rows(results: Record, group: str) -> list[tuple[str, list[str]]]:
    rows = []
    for cell in results["cells"]:
        if cell["group"] != group:
            continue
        if cell["refused"]:
            rows.append((cell["name"], [f"refused: {cell['refused']}"]))
            continue
        token, p99 = cell["token"], cell["p99_by_run"]
        ratio = "" if token["bound_ns"] is None else f"{token['bound_over_worst']:.2f}"
        rows.append(
            (
                cell["name"],
                [
                    f"{cell['samples']:,}",
                    us(token["p50_ns"]),
                    f"{us(p99['value'])} ({p99['low'] / 1000:,.1f} to {p99['high'] / 1000:,.1f})",
                    us(token["worst_ns"]),
                    us(token["bound_ns"]),
                    ratio,
                    us(cell["device"]["worst_ns"]),
                    us(cell["device"]["bound_ns"]),
                    f"{cell['p99_by_run']['cv']:.2%}",
                    str(cell["over_bound_tokens"]),
                ],
            )
        )
    return rows


def _terms(results: Record) -> list[tuple[str, list[tuple[str, str]]]]:
    """Terms of the bound of the constrained cells of the contention group."""
    return [
        (title(cell), [(name, us(value)) for name, value in cell["bound_terms_ns"].items()])
        for cell in ran(results, "contention")
        if cell["name"].startswith("constrained")
    ]
