"""`make package`: configurations, seeds, raw data and reports as one archive that can make its report again."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tb.results.technical.records import RUNS
from tb.results.technical.records import Run as Packed
from tb.results.technical.reproduce import REPORT, SUMS, made, sums
from tb.run.artefacts import file_digest, write_whole
from tb.run.store.database import INTERRUPTED, Head, Run
from tb.run.store.kinds import kind_of

NAME = "kvcpu-results"
ARCHIVE = f"{NAME}.tar.gz"
TECHNICAL = Path(__file__).resolve().parent / "technical"
MAIN_FIGURES = 12
COMMAND = '''"""Make the report and the data of this package again, and compare bytes. Needs Python 3.11 or newer."""

import sys
from pathlib import Path

from technical.reproduce import main

sys.exit(main(Path(__file__).resolve().parent))
'''
README = """# Results of the KV-CPU testbench

    python3 reproduce.py

checks every file against `SHA256SUMS`, makes `report.md`, `data/` and `configurations/` again from `runs/` alone, into
`reproduced/`, and compares the bytes. It needs Python 3.11 or newer and nothing else.

| | |
| --- | --- |
| `report.md` | methodology, results, trade-offs, recommendations, limits |
| `runs/` | each run whole: settings, seed, revision, machine, samples, the record of its report, digests of files |
| `configurations/` | command, seed and settings of each run |
| `data/` | every figure and every raw sample, as CSV |
| `reports/` | the pages and files that the runs left |
| `technical/` | the program that makes the report |
"""


def chosen(heads: Sequence[Head]) -> list[Head]:
    """The newest run of each kind that has come to its end, by kind."""
    newest = {head.kind: head for head in heads if head.verdict != INTERRUPTED}
    return [newest[kind] for kind in sorted(newest)]


def packed(run: Run) -> Packed:
    """A run as a package has it."""
    head, kind = run.head, kind_of(run.head.kind)
    about = {key: value for key, value in asdict(head).items() if key != "number"}
    figures = [asdict(figure) for _, figure in sorted(run.figures.items())]
    content = {
        **about,
        "name": head.name,
        "title": kind.title,
        "settings": run.settings,
        "machine": run.machine,
        "main": kind.main_figures(run.figures, MAIN_FIGURES),
        "figures": figures,
        "files": [asdict(file) for file in run.files],
        "record": run.record,
    }
    return Packed(json.loads(json.dumps(content)))


def contents(runs: Sequence[Run], reports: Path) -> tuple[dict[str, bytes], list[str]]:
    """Files of the archive by name, and the names of report files that a later run has replaced. Raises OSError."""
    all_packed = [packed(run) for run in runs]
    texts = {
        "README.md": README,
        "reproduce.py": COMMAND,
        **{f"technical/{path.name}": path.read_text() for path in sorted(TECHNICAL.glob("*.py"))},
        **{
            f"{RUNS}/{run['kind']}.json": json.dumps(run.content, indent=1, sort_keys=True) + "\n" for run in all_packed
        },
        **made(all_packed),
    }
    files = {name: text.encode() for name, text in texts.items()}
    replaced = []
    for run in runs:
        for name, content in _left(run, reports).items():
            if content is None:
                replaced.append(f"{run.head.name}: {name}")
            else:
                files[f"reports/{run.head.kind}/{name}"] = content
    files[SUMS] = sums(files).encode()
    return files, replaced


def _left(run: Run, reports: Path) -> dict[str, bytes | None]:
    """The files that a run has left, by name; None of one that is gone or another by now."""
    folder = (reports / kind_of(run.head.kind).page).parent / "runs" / run.head.kind
    found: dict[str, bytes | None] = {}
    for file in run.files:
        paths = [path / file.name for path in folder.glob("[0-9]*") if (path / file.name).is_file()]
        same = next((path for path in paths if file_digest(path) == file.sha256), None)
        found[file.name] = same.read_bytes() if same else None
    return found


def archive(files: dict[str, bytes]) -> bytes:
    """One compressed archive: the same bytes for the same files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed_file,
        tarfile.open(fileobj=packed_file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{NAME}/{name}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def write(runs: Sequence[Run], folder: Path, reports: Path) -> tuple[Path, list[str]]:
    """Write the archive into `folder` and its report into `reports`; returns the archive and what was replaced.

    Raises OSError.
    """
    files, replaced = contents(runs, reports)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / ARCHIVE, archive(files))
    write_whole(reports / REPORT, files[REPORT])
    return folder / ARCHIVE, replaced
