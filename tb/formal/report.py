"""What the proofs found, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.formal import solve
from tb.formal.catalogue import Planted, Proof
from tb.formal.prove import BOUNDED, FAILED, PROVEN
from tb.run.artefacts import published
from tb.run.kept import Result
from tb.run.page import pages
from tb.run.paths import REPORT, shown
from tb.run.provenance import provenance
from tb.run.store.keep import keep_run, verdict

TEMPLATES = Path(__file__).parent / "templates"


@dataclass
class Outcome:
    """What became of one proof; `planted` has the defects that were planted, `error` why there is no result."""

    proof: Proof
    result: Result | None = None
    error: str = ""
    planted: list[tuple[Planted, Result | None, str]] = field(default_factory=list)

    def properties(self) -> list[dict[str, Any]]:
        """Rows of the properties, without those of lemmas."""
        return [row for row in self.rows() if row["kind"] == "property"]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of properties and lemmas."""
        return self.result.facts["properties"] if self.result else []

    def problems(self) -> list[str]:
        """Why the proof does not count: one line each, in the order in which a reader wants them."""
        found = [self.error] if self.error else []
        found += [line for row in self.rows() for line in self._row_problems(row)]
        if self.result:
            found += [
                f"{name}: no run of {self.proof.cover_depth} cycles meets this assumption's premise"
                for name, vacuous in self.result.facts["assumptions"].items()
                if vacuous
            ]
        for defect, result, error in self.planted:
            missed = ", ".join(result.facts["missed"]) if result else ""
            if error or missed:
                found.append(error or f"{missed}: no failure on the planted defect `{defect.new}` in {defect.file}")
        return found

    def _row_problems(self, row: Mapping[str, Any]) -> Iterator[str]:
        name = row["name"]
        if row["result"] == FAILED:
            where = f" (waveform: {shown(self.result.folder)}/failed*.vcd)" if self.result else ""
            yield f"{name} fails within {row['depth']} cycles{where}"
        if row["result"] == BOUNDED and self.proof.engine != "bmc":
            yield f"{name} is not proven: it holds for {row['depth']} cycles only"
        if row["vacuous"]:
            yield f"{name}: no run of {self.proof.cover_depth} cycles meets its premise"


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many properties are proven, bounded, failed (or without a result), vacuous."""
    rows = [row for outcome in outcomes for row in outcome.properties()]
    stated = sum(len(outcome.proof.properties) for outcome in outcomes)
    counts = {kind: sum(row["result"] == kind for row in rows) for kind in (PROVEN, BOUNDED)}
    return {**counts, FAILED: stated - sum(counts.values()), "vacuous": sum(row["vacuous"] for row in rows)}


def record(outcomes: Sequence[Outcome], settings: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The report as it is written to formal.json."""
    return {
        **provenance(None, settings),
        "seconds": round(seconds, 1),
        "tools": solve.tool_versions(),
        **summary(outcomes),
        "properties": [
            {
                "name": f"{outcome.proof.name}.{row['name']}",
                "proof": outcome.proof.name,
                "stage": outcome.proof.stage,
                "sentence": outcome.proof.properties[row["name"]],
                **{key: row[key] for key in ("result", "depth", "seconds", "vacuous")},
            }
            for outcome in outcomes
            for row in outcome.properties()
        ],
        "proofs": [_proof(outcome) for outcome in outcomes],
    }


def parts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the sign-off needs of each proof of a report: its properties, and why it does not count."""
    return {
        proof["name"]: {
            "problems": proof["problems"],
            "properties": {
                row["name"]: {key: row[key] for key in ("result", "depth", "vacuous")}
                for row in data["properties"]
                if row["proof"] == proof["name"]
            },
        }
        for proof in data["proofs"]
    }


def _proof(outcome: Outcome) -> dict[str, Any]:
    proof, result = outcome.proof, outcome.result
    return {
        "name": proof.name,
        "group": proof.group,
        "stage": proof.stage,
        "module": proof.top,
        "parameters": dict(proof.parameters),
        "engine": proof.engine,
        "depth": proof.depth,
        "assumptions": dict(proof.assumptions),
        "lemmas": [row["name"] for row in outcome.rows() if row["kind"] == "lemma"],
        "cone": result.facts["cone"] if result else None,
        "seconds": result.seconds if result else 0.0,
        "cached": result.cached if result else False,
        "problems": outcome.problems(),
        "planted": [
            {"file": d.file, "old": d.old, "new": d.new, "detects": list(d.detects), **(r.facts if r else {})}
            for d, r, _ in outcome.planted
        ],
    }


def write(data: Mapping[str, Any], folder: Path = REPORT) -> Path:
    """Write formal.json and formal.html, together. Returns the page. Raises UsageError when they cannot be written."""
    page = pages(TEMPLATES).get_template("formal.html.j2").render(data=data)
    with published(folder, "formal") as staged:
        (staged / "formal.json").write_text(json.dumps(data, indent=1) + "\n")
        (staged / "formal.html").write_text(page)
    keep_run("formal", data, verdict(not any(proof["problems"] for proof in data["proofs"])), folder)
    return folder / "formal.html"
