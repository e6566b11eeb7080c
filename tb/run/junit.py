"""JUnit results of a regression, as the common CI systems read them."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

LONGEST = 500  # characters of an attribute


def write_junit(data: dict[str, Any], path: Path) -> None:
    """Write a suite for each leg; a build that broke is an error of its leg. Texts of `data` are printable.

    The type of a failure or an error is the message of its bucket, by which CI systems group.
    """
    kinds = {title: bucket["message"] for bucket in data["buckets"] for title in bucket["tests"]}
    root = ET.Element("testsuites", name="regression", time=str(data["seconds"]))
    for leg in sorted({row["leg"] for row in data["rows"]} | data["broken"].keys()):
        rows = [row for row in data["rows"] if row["leg"] == leg]
        seconds = f"{sum(row['seconds'] for row in rows):.2f}"
        suite = ET.SubElement(root, "testsuite", name=leg, timestamp=data["time"].rstrip("Z"), time=seconds)
        for row in rows:
            _case(suite, row, kinds)
        if leg in data["broken"]:
            case = ET.SubElement(suite, "testcase", classname=leg, name="build", time="0")
            kind = kinds[f"{leg}.build"][:LONGEST]
            ET.SubElement(case, "error", message="build failed", type=kind).text = data["broken"][leg]
        _count(suite, "testcase")
    _count(root, "testsuite/testcase")
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ET.Element, row: dict[str, Any], kinds: dict[str, str]) -> None:
    name = f"{row['test']}[seed{row['seed']}]"
    case = ET.SubElement(suite, "testcase", classname=row["leg"], name=name, time=str(row["seconds"]))
    if not row["passed"]:
        kind = kinds[f"{row['leg']}.{row['test']} seed {row['seed']}"]
        failure = ET.SubElement(case, "failure", message=row["message"][:LONGEST], type=kind[:LONGEST])
        failure.text = "\n".join([row["failure"], *row["reasons"], f"repeat: {row['repeat']}", f"log: {row['log']}"])


def _count(element: ET.Element, cases: str) -> None:
    element.set("tests", str(len(element.findall(cases))))
    element.set("failures", str(len(element.findall(f"{cases}/failure"))))
    element.set("errors", str(len(element.findall(f"{cases}/error"))))
