"""Reports of a regression from one record: JUnit, JSON and a self-contained HTML page with trends."""

import json
import re
import subprocess
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from tb.run.coverage import KINDS, FileCoverage, merge, percentages
from tb.run.leg import Outcome
from tb.run.paths import REPORT, ROOT, shown
from tb.run.results import Results

TREND_LENGTH = 30


def _row(outcome: Outcome) -> dict[str, Any]:
    verdict, job = outcome.verdict, outcome.job
    return {
        "leg": job.leg.name,
        "level": job.leg.level,
        "test": job.test,
        "seed": job.seed,
        "passed": verdict.passed,
        "seconds": round(outcome.seconds, 2),
        "transactions": verdict.transactions,
        "comparisons": verdict.comparisons,
        "reasons": verdict.reasons,
        "failure": verdict.failure_text,
        "cycle": verdict.failure_cycle,
        "repeat": job.repeat,
        "log": shown(outcome.log),
        "waves": _waves_of(outcome),
    }


def _waves_of(outcome: Outcome) -> str | None:
    """The waves that the automatic re-run left beside a failed run's log."""
    found = sorted((outcome.log.parent / "waves").glob("waves.[fv][sc][td]"))
    return shown(found[0]) if found else None


def buckets(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Failures grouped by message with its numbers taken out, the largest group first."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if not row["passed"]:
            text = row["failure"] or (row["reasons"] or ["no reason"])[0]
            groups[re.sub(r"\b(0x[0-9a-f]+|\d+)\b", "N", text.splitlines()[0])].append(row)
    return sorted(({"message": text, "rows": found} for text, found in groups.items()), key=lambda b: -len(b["rows"]))


def _commit() -> str:
    result = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


def record(results: Results, seeds: int | None, files: Mapping[str, FileCoverage]) -> dict[str, Any]:
    """The one record that every report is made from."""
    passed, failed = results.counts
    rows = sorted(map(_row, results.outcomes), key=lambda row: (row["leg"], row["test"], row["seed"]))
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "seeds": seeds,
        "coverage": results.coverage,
        "passed": passed,
        "failed": failed,
        "seconds": round(results.seconds, 1),
        "comparisons": sum(row["comparisons"] for row in rows),
        "broken": results.broken,
        "code_coverage": percentages(files),
        "rows": rows,
    }


def _junit(data: dict[str, Any], path: Path) -> None:
    root = ET.Element("testsuites")
    suites = {leg: ET.SubElement(root, "testsuite", name=leg) for leg in sorted({row["leg"] for row in data["rows"]})}
    for row in data["rows"]:
        suite = suites[row["leg"]]
        case = ET.SubElement(
            suite, "testcase", classname=row["leg"], name=f"{row['test']}[seed{row['seed']}]", time=str(row["seconds"])
        )
        if not row["passed"]:
            failure = ET.SubElement(case, "failure", message=(row["failure"] or row["reasons"][0])[:500])
            failure.text = "\n".join([*row["reasons"], row["repeat"], row["log"]])
    for leg, text in data["broken"].items():
        suite = ET.SubElement(root, "testsuite", name=leg)
        case = ET.SubElement(suite, "testcase", classname=leg, name="build")
        ET.SubElement(case, "error", message="build failed").text = text
    for suite in root:
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", str(len(suite.findall("testcase/error"))))
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _history(data: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """Append this run to the history and return the last runs of the same kind."""
    keys = ("time", "commit", "seeds", "coverage", "passed", "failed", "seconds", "comparisons")
    with path.open("a") as file:
        file.write(json.dumps({key: data[key] for key in keys}) + "\n")
    return [json.loads(line) for line in path.read_text().splitlines()[-TREND_LENGTH:]]


def write_reports(results: Results, seeds: int | None) -> tuple[str, dict[str, Any]]:
    """Write regress.json, regress.xml (JUnit) and regress.html; returns the page's path as shown, and the record."""
    REPORT.mkdir(parents=True, exist_ok=True)
    dats = [path for outcome in results.outcomes if (path := outcome.log.parent / "coverage.dat").exists()]
    files = merge(dats) if results.coverage else {}
    data = record(results, seeds, files)
    (REPORT / "regress.json").write_text(json.dumps(data, indent=1))
    _junit(data, REPORT / "regress.xml")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = REPORT / "regress.html"
    page.write_text(
        environment.get_template("regress.html.j2").render(
            data=data,
            files=files,
            kinds=KINDS,
            buckets=buckets(data["rows"]),
            history=_history(data, REPORT / "history.jsonl"),
        )
    )
    return shown(page), data
