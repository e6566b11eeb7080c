"""A proof from its sources to its results, and the runs that see its properties fail; kept by content."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tb.formal import solve
from tb.formal.catalogue import Planted, Proof
from tb.formal.cone import state_in_cone
from tb.formal.netlist import (
    GRAPH,
    Labels,
    build,
    check_labels,
    inputs,
    is_property,
    short,
    sources,
)
from tb.run.errors import CheckError
from tb.run.kept import Result, kept
from tb.run.paths import ROOT, SIM_BUILD
from tb.run.sources import digest, digest_text

FORMAL_BUILD = SIM_BUILD / "formal"
FORMAT = "2"  # part of every key: change it when the meaning of a kept result changes
PROVEN, BOUNDED, FAILED = "proven", "bounded", "failed"


def _key(proof: Proof, *parts: str) -> str:
    """A key from what decides the result: the proof but for its sentences, its sources, the tools."""
    about = {**asdict(proof), "properties": sorted(proof.properties), "assumptions": sorted(proof.assumptions)}
    about["planted"] = []
    files = [f"{path.name}={digest(path)}" for path in inputs(proof)]
    return digest_text(FORMAT, *solve.tool_versions(), json.dumps(about, sort_keys=True), *files, *parts)


def prove(proof: Proof) -> Result:
    """Prove it, or take the kept result. Its facts: `properties`, `assumptions`, `cone`, as in the report.

    Raises CheckError when the sources cannot be read or do not state what the catalogue names.
    """
    return kept(FORMAL_BUILD / proof.name, _key(proof), lambda folder: _prove(proof, folder))


def _prove(proof: Proof, folder: Path) -> dict[str, Any]:
    found = build(proof, sources(proof), folder, aiger=proof.engine == "pdr")
    check_labels(proof, found)
    reached = _reached(proof, folder)
    inside, total = state_in_cone(folder / GRAPH)
    return {
        "properties": _results(proof, found, folder, reached),
        "assumptions": {name: f"c_{name}" not in map(short, reached) for name in proof.assumptions},
        "cone": {"state_bits": total, "in_cone": inside},
    }


def _reached(proof: Proof, folder: Path) -> Collection[str]:
    """Cover points that are reached, in the proof's module or in one with `cover_parameters`."""
    where = folder / "cover"
    where.mkdir()
    smaller = replace(proof, parameters={**proof.parameters, **proof.cover_parameters})
    build(smaller, sources(proof), where, aiger=True, covers=True)
    return solve.failures(where, proof.cover_depth, proof.timeout_s)


def _results(proof: Proof, found: Labels, folder: Path, reached: Collection[str]) -> list[dict[str, Any]]:
    """One row for each assert: label, result, depth (None when unbounded), seconds, whether its premise is vacuous."""
    proven, seconds = _unbounded(proof, found, folder)
    answer = None
    if len(proven) < len(found.asserts):
        answer = solve.bounded(folder, proof.depth if proof.engine != "induction" else _beyond(proof), proof.timeout_s)
        seconds += answer.seconds
    rows = []
    for label in found.asserts:
        result = PROVEN if label in proven else FAILED if answer and label in answer.failed else BOUNDED
        covered = label.replace(".p_", ".c_") in reached
        rows.append(
            {
                "name": short(label) if is_property(label) else label,
                "kind": "property" if is_property(label) else "lemma",
                "result": result,
                "depth": None if result == PROVEN or answer is None else answer.depth,
                "seconds": round(seconds, 1),
                "vacuous": is_property(label) and not covered,
            }
        )
    return rows


def _beyond(proof: Proof) -> int:
    """Cycles of the bounded run where an induction does not close: enough to reach every premise."""
    return max(proof.depth, proof.cover_depth)


def _unbounded(proof: Proof, found: Labels, folder: Path) -> tuple[Collection[str], float]:
    """Labels that hold in every reachable state, and the seconds that it took."""
    if proof.engine == "bmc":
        return (), 0.0
    if proof.engine == "pdr":
        status, seconds = solve.reachability(folder, proof.timeout_s)
        return found.asserts if status == solve.PASSED else (), seconds
    base = solve.bounded(folder, proof.depth, proof.timeout_s)
    if base.status != solve.PASSED:
        return (), base.seconds
    step = solve.induction(folder, proof.depth, proof.timeout_s)
    return found.asserts if step.status == solve.PASSED else (), base.seconds + step.seconds


def detects(proof: Proof, defect: Planted) -> Result:
    """Run the proof's properties on the planted defect. Its facts: `missed`, those that did not fail, and `depth`.

    Raises CheckError when the defect cannot be planted.
    """
    text = defect.text()
    key = _key(proof, text, json.dumps(asdict(defect), sort_keys=True))
    home = FORMAL_BUILD / "planted" / f"{proof.name}-{digest_text(defect.old, defect.new)[:8]}"
    return kept(home, key, lambda folder: _plant(proof, defect, text, folder))


def _plant(proof: Proof, defect: Planted, text: str, folder: Path) -> dict[str, Any]:
    target = (ROOT / defect.file).resolve()
    if target not in sources(proof):
        raise CheckError(f"{proof.name}: a planted defect is in {defect.file}, which the proof does not read")
    copy = folder / target.name
    copy.write_text(text)
    files = [copy if path == target else path for path in sources(proof)]
    smaller: Mapping[str, int] = {**proof.parameters, **defect.parameters}
    build(replace(proof, parameters=smaller), files, folder, aiger=True, only=defect.detects)
    failed = {short(label) for label in solve.failures(folder, defect.depth, proof.timeout_s)}
    return {"missed": sorted(set(defect.detects) - failed), "failed": sorted(failed), "depth": defect.depth}
