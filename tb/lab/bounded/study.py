"""The whole study: cells times seeds over the local cores, then task sets; criteria; the results as one record."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from typing import Any

from model.timing import Timing
from tb.lab.bounded import criteria
from tb.lab.bounded.bus import Load
from tb.lab.bounded.cells import Cell, Outcome, Plan, Unfit, plan, simulate
from tb.lab.bounded.decode import Samples
from tb.lab.bounded.matrix import cells
from tb.lab.bounded.summary import Record, refused, summary
from tb.lab.bounded.tasksets import point
from tb.run.errors import CheckError

Say = Callable[[str], None]
Settings = dict[str, Any]


def timing_of(settings: Settings) -> Timing:
    """The device model's timing with the memories that the settings name."""
    given = settings["timing"]
    return Timing(
        clock_mhz=given["clock_mhz"],
        read_latency=tuple(given["read_latency"]),
        write_latency=tuple(given["write_latency"]),
        beat_cycles=tuple(given["beat_cycles"]),
    )


def planned(settings: Settings, cell: Cell) -> Plan:
    """A cell with its bounds. Raises Unfit."""
    background = settings["background"]
    load = Load(cell.load, background["batch_beats"], background["jitter_cycles"])
    return plan(cell, timing_of(settings), load, share=background["tenants"], seed=settings["seed"])


def units(settings: Settings) -> int:
    """How often `run` says what it does."""
    sets = settings["tasksets"]["utilisations"]
    seeds: int = settings["seeds"]
    return len(cells(settings)) * seeds + len(settings["matrix"]["schedulers"]) * len(sets)


# ---------------------------------------------------------------- work over the cores


def _one(job: tuple[Settings, Cell, int]) -> Outcome | str:
    """One seed of a cell, in a worker: its outcome, or why the cell does not fit."""
    settings, cell, seed = job
    try:
        return simulate(planned(settings, cell), seed)
    except Unfit as why:
        return str(why)


def _point(job: tuple[Settings, str, float]) -> Record:
    settings, scheduler, utilisation = job
    sets = settings["tasksets"]
    found = point(
        scheduler, utilisation, tasks=sets["tasks"], sets=sets["sets"], chunk=sets["chunk_us"], seed=settings["seed"]
    )
    return {"scheduler": scheduler, **found}


def _work(function: Callable[[Any], Any], jobs: Sequence[Any], results: Connection) -> None:
    """A worker's share. Ctrl-C reaches the whole process group; it is the parent that ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for job in jobs:
        results.send(function(job))


@contextmanager
def mapper(workers: int) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]]:
    """`map` in order over so many processes; in this one if it is 1. They end with the block, however it ends."""
    if workers == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    crew = []

    def spread(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[Any]:
        ends = []
        for number in range(workers):
            end, results = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(function, jobs[number::workers], results), daemon=True)
            process.start()
            results.close()  # what is left is the worker's: its end is seen as the end of the stream
            crew.append(process)
            ends.append(end)
        for number in range(len(jobs)):
            try:
                yield ends[number % workers].recv()
            except EOFError:
                raise CheckError("a worker process has ended before its work (memory?): call again") from None

    try:
        yield spread
    finally:
        for process in crew:
            process.kill()
            process.join()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


# ---------------------------------------------------------------- the study


@dataclass(frozen=True, slots=True)
class Raw:
    """Every token of one seed of a cell, see `decode.FIELDS`."""

    cell: Cell
    seed: int
    samples: Samples


def run(settings: Settings, say: Say, workers: int) -> tuple[Record, list[Raw]]:
    """Everything: the results without provenance, and all tokens, in the order of cells and seeds.

    Args:
        settings: checked.
        say: called when a unit begins.
        workers: processes.
    """
    raw: list[Raw] = []
    todo = cells(settings)
    seeds = range(1, settings["seeds"] + 1)
    jobs = [(settings, cell, seed) for cell in todo for seed in seeds]
    sets = settings["tasksets"]["utilisations"]
    points = [(settings, scheduler, u) for scheduler in settings["matrix"]["schedulers"] for u in sets]
    with mapper(workers) as spread:
        outcomes = spread(_one, jobs)
        found = []
        for cell in todo:
            ended = [_said(say, cell, seed, outcomes) for seed in seeds]
            found.append(_cell(settings, cell, ended))
            raw += [Raw(cell, s, one.samples) for s, one in zip(seeds, ended, strict=True) if isinstance(one, Outcome)]
        curves = []
        for job, result in zip(points, spread(_point, points), strict=True):
            say(f"task sets: {job[1]}, utilisation {job[2]:.2f}")
            curves.append(result)
    results: Record = {"cells": found, "tasksets": curves, "versions": versions(), "workload_sha256": digest(settings)}
    return results, raw


def finish(results: Record, provenance: Record) -> Record:
    """The record that is written: provenance, criteria, answers, cells."""
    whole = {**provenance, "experiment": "bounded", "question": provenance["settings"]["question"], **results}
    whole["criteria"] = criteria.judged(whole)
    whole["answers"] = criteria.answers(whole)
    return whole


def _said(say: Say, cell: Cell, seed: int, outcomes: Iterator[Outcome | str]) -> Outcome | str:
    say(f"{cell.group}: {cell.name}, seed {seed}")
    return next(outcomes)


def _cell(settings: Settings, cell: Cell, outcomes: list[Outcome | str]) -> Record:
    good = [one for one in outcomes if isinstance(one, Outcome)]
    if len(good) < len(outcomes):
        return refused(cell, next(one for one in outcomes if isinstance(one, str)))
    return summary(planned(settings, cell), good, seed=settings["seed"], resamples=settings["statistics"]["resamples"])


def versions() -> dict[str, str]:
    """What the figures were made with."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def digest(settings: Settings) -> str:
    """SHA-256 of the settings in canonical form: they and the sources are the whole workload."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
