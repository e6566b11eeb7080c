"""How a run ends: complete, failed or interrupted, with a status, a report, and a closer look at a failure."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.run.artefacts import published
from tb.run.command import CHECK_FAILED, INTERRUPTED, tell
from tb.run.errors import CheckError
from tb.run.paths import shown
from tb.run.provenance import provenance
from tb.run.store.keep import keep_run, verdict
from tb.sim.errors import Difference, Say
from tb.sim.options import DeviceOptions

COMPLETE, STOPPED, FAILED = "complete", "interrupted", "failed"


@dataclass
class Ending:
    """How far a run has come; `failure` is one line, empty while all is well.

    `begun` is when the command was called (monotonic seconds); `wall_s` is the time of the run itself, `startup_s` from
    the command to the first simulated cycle (builds included), both None before the device runs.
    """

    state: str = FAILED
    failure: str = ""
    begun: float = field(default_factory=time.monotonic)
    wall_s: float | None = None
    startup_s: float | None = None
    _first: float | None = None

    def seen_alive(self) -> None:
        """The run has reported something."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self.startup_s = now - self.begun
        self.wall_s = now - self._first


def carry_out(
    ending: Ending,
    run: Callable[[], None],
    report: Callable[[], None],
    differed: Callable[[], None],
    repeat: str,
    say: Say,
) -> int:
    """Run, report whatever way it ended, and say how to repeat a failure. Returns the exit status.

    `differed` is called when what was seen was not what must be seen.
    """
    status, look_closer = 0, None
    try:
        run()
        ending.state = COMPLETE
    except Difference as error:
        ending.failure, status, look_closer = str(error), CHECK_FAILED, error.look_closer
        differed()
    except CheckError as error:
        ending.failure, status = str(error), CHECK_FAILED
    except KeyboardInterrupt:
        ending.state, status = STOPPED, INTERRUPTED
    try:
        report()
    finally:  # also when the report cannot be written
        if status == INTERRUPTED:
            tell("interrupted: no process is left, the report is partial")
        elif ending.failure:
            tell(f"error: {ending.failure}")
    if status == CHECK_FAILED:
        say(f"repeat: {repeat}")
    if look_closer:
        look_closer(say)
    return status


def write_reports(
    kind: str,
    folder: Path,
    figures: Mapping[str, Any],
    options: DeviceOptions,
    page: Callable[[Path], None] | None,
    **own: Any,
) -> str:
    """`<kind>.json`, and `<kind>.html` where there is a page: both of this run, in place of the last run's.

    `own` are the settings of this kind of run on top of the device's. Returns where they are, as shown. Raises
    UsageError when they cannot be written; those of the last run stay then.
    """
    about = provenance(options.seed, {**options.sizes, **own})
    record = {**about, **figures}
    with published(folder, kind) as staged:
        (staged / f"{kind}.json").write_text(json.dumps(record, indent=1) + "\n")
        if page is not None:
            page(staged / f"{kind}.html")
    keep_run(kind, record, STOPPED if figures["state"] == STOPPED else verdict(figures["state"] == COMPLETE), folder)
    return ", ".join(shown(folder / f"{kind}.{suffix}") for suffix in ("json", "html")[: 1 + (page is not None)])
