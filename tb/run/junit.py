"""JUnit results of a regression, as the common CI systems read them."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any


def write_junit(data: dict[str, Any], path: Path) -> None:
    """Write a suite for each leg; a build that broke is an error of its leg. Texts of `data` are printable."""
    root = ET.Element("testsuites", name="regression", time=str(data["seconds"]))
    for leg in sorted({row["leg"] for row in data["rows"]} | data["broken"].keys()):
        suite = ET.SubElement(root, "testsuite", name=leg, timestamp=data["time"].rstrip("Z"))
        for row in data["rows"]:
            if row["leg"] == leg:
                _case(suite, row)
        if leg in data["broken"]:
            case = ET.SubElement(suite, "testcase", classname=leg, name="build", time="0")
            ET.SubElement(case, "error", message="build failed").text = data["broken"][leg]
        _count(suite, "testcase")
    _count(root, "testsuite/testcase")
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ET.Element, row: dict[str, Any]) -> None:
    name = f"{row['test']}[seed{row['seed']}]"
    case = ET.SubElement(suite, "testcase", classname=row["leg"], name=name, time=str(row["seconds"]))
    if not row["passed"]:
        failure = ET.SubElement(case, "failure", message=row["message"][:500])
        failure.text = "\n".join([row["failure"], *row["reasons"], f"repeat: {row['repeat']}", f"log: {row['log']}"])


def _count(element: ET.Element, cases: str) -> None:
    element.set("tests", str(len(element.findall(cases))))
    element.set("failures", str(len(element.findall(f"{cases}/failure"))))
    element.set("errors", str(len(element.findall(f"{cases}/error"))))
