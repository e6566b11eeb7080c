"""`make rt-bench`: per-token times of llama.cpp under every sampling, number of threads and load; report and page.

Exit status: 0 done (criteria are met or not, the report says which), 1 the engine failed or the host could not be
restored, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from sw.terminal import new_console
from tb.engines import cells, host, models, report, statistics
from tb.engines.cells import Cell, Form
from tb.engines.environment import install, python_of
from tb.figures.load import Others
from tb.run import process
from tb.run.command import Parser, checked_seed, run_command
from tb.run.errors import CheckError, UsageError
from tb.run.paths import REPORT, ROOT, SIM_BUILD
from tb.sim.display import Progressing, sayer

LIMIT_S = 6 * 3600.0  # of a cell
TAIL = 3  # lines of the engine's output in a message


@dataclass(frozen=True)
class Options:
    """What the user asks for; `host` and `worker` are others in tests only."""

    model: Path | None
    form: Form
    seed: int
    folder: Path
    host: Path
    worker: list[str] | None

    @property
    def state(self) -> Path:
        """Folder of what must outlive a run that is killed: the host's values of before, the lock."""
        return SIM_BUILD if self.host == Path("/") else self.host


@dataclass(frozen=True)
class Measured:
    """A model of the matrix: its file, what the report says of it, its cells."""

    name: str
    file: Path
    about: dict[str, Any]
    cells: list[Cell]


def _parse(argv: list[str]) -> Options:
    parser = Parser("python -m tb.engines.bench", __doc__)
    parser.add_argument("--model", help="a GGUF file (default: models of random weights, made here)")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and tokens")
    parser.add_argument("--seed", default="1", help="of prompts, sampling, random weights and intervals (default 1)")
    parser.add_argument("--report", default=str(REPORT), help="folder of the report (default sim_build/report)")
    parser.add_argument("--host", default="/", help="root of /proc and /sys that are prepared (for tests)")
    parser.add_argument("--worker", help="a program in place of the engine (for tests)")
    given = parser.parse_args(argv)
    model = None if given.model is None else Path(given.model)
    if model is not None:
        models.check(model)
    worker = [given.worker] if given.worker else None
    form = cells.QUICK if given.quick else cells.FULL
    return Options(model, form, checked_seed(given.seed), Path(given.report), Path(given.host), worker)


def chosen(options: Options) -> tuple[list[Measured], list[str]]:
    """The models to measure, and a line for each that is left out. Raises UsageError."""
    cpus = len(os.sched_getaffinity(0))
    if options.model is not None:
        about = models.header(options.model)
        return [Measured("model", options.model, about, cells.matrix("model", options.form, cpus, large=False))], []
    found, left_out = [], []
    free = host.available_bytes(options.host)
    for shape, large in ((models.SMALL, False), (models.LARGE, True)):
        if shape.memory > free:
            left_out.append(
                f"{shape.name} was left out: {shape.memory / 2**30:.2g} GiB of free memory are needed, "
                f"{free / 2**30:.2g} are there"
            )
            continue
        file = models.random_model(shape, options.seed)
        found.append(
            Measured(shape.name, file, models.header(file), cells.matrix(shape.name, options.form, cpus, large=large))
        )
    if not found:
        raise UsageError(f"no model fits: {'; '.join(left_out)}")
    return found, left_out


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one measurement prepares the host at a time. Raises UsageError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "rt-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("another `make rt-bench` runs in this checkout: wait for its end") from None
        yield


def measure(options: Options, model: Measured, cell: Cell) -> dict[str, Any]:
    """Run one cell in the engine's environment. Raises CheckError when the engine fails."""
    allowed = sorted(os.sched_getaffinity(0))
    job = {
        "model_file": str(model.file.resolve()),
        "sampling": cells.SAMPLING[cell.sampling],
        "threads": cell.threads,
        "cpus": cells.pinned(cell.threads, allowed),
        "load": cell.load,
        "bounded": cell.bounded,
        "repetitions": cell.repetitions,
        "tokens": cell.tokens,
        "prompt": cells.PROMPT,
        "context": cells.CONTEXT,
        "seed": options.seed,
    }
    with TemporaryDirectory() as folder:
        ask, answer, log = (Path(folder) / name for name in ("job.json", "result.json", "log"))
        ask.write_text(json.dumps(job))
        ended = process.run(
            [*(options.worker or [str(python_of("llama")), "-m", "tb.engines.worker"]), str(ask), str(answer)],
            env=process.clean_env({"PYTHONPATH": str(ROOT)}),
            cwd=ROOT,
            log=log,
            timeout_s=LIMIT_S,
        )
        raw: dict[str, Any] = json.loads(answer.read_text()) if answer.exists() else {"error": None}
        said = " | ".join(log.read_text(errors="replace").splitlines()[-TAIL:])
    if ended.timed_out:
        raise CheckError(f"{cell.key}: no result within {LIMIT_S / 3600:g} hours")
    if ended.status != 0 or raw["error"]:
        raise CheckError(f"{cell.key}: {raw['error'] or f'the engine ended with status {ended.status}'} {said}".strip())
    return {**raw, "prompt": cells.PROMPT}


def _bench(argv: list[str]) -> int:
    options, console = _parse(argv), new_console()
    statistics.scipy_part("stats")  # what is missing is said before anything runs
    if options.worker is None:
        install("llama")
    with _alone(options.state):
        chosen_models, left_out = chosen(options)
        begin, others = time.monotonic(), Others()
        with host.prepared(options.host, options.state / "rt-bench-host.json") as settings:
            report.say_host(sayer(console), settings)
            raws = _all(options, console, chosen_models)
        facts = report.Facts(
            options.form.name,
            options.seed,
            len(os.sched_getaffinity(0)),
            settings,
            left_out,
            time.monotonic() - begin,
            others.cores(),
        )
    results = report.results(facts, {model.name: model.about for model in chosen_models}, raws)
    report.show(console, results)
    sayer(console)(f"report: {report.write(options.folder, results, raws)}")
    return 0


def _all(options: Options, console: Console, chosen_models: list[Measured]) -> list[tuple[Cell, dict[str, Any]]]:
    """Every cell of every model, one after the other."""
    raws: list[tuple[Cell, dict[str, Any]]] = []
    with Progressing(console, sum(len(model.cells) for model in chosen_models), "cells") as progress:
        progress.starting()
        for model in chosen_models:
            for cell in model.cells:
                progress.show(len(raws), cell.key)
                raws.append((cell, measure(options, model, cell)))
    return raws


def main(argv: list[str]) -> int:
    """Measure; every foreseeable error is one line and a status."""
    return run_command(
        lambda: _bench(argv), "interrupted: no process is left, the host is as it was, no report was written"
    )


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
