"""How a run ends: complete, failed or interrupted, with a status, a report, and a closer look at a failure."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.run.command import CHECK_FAILED, INTERRUPTED, tell
from tb.run.errors import CheckError
from tb.sim.errors import Difference, Say

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
    report()
    if status == INTERRUPTED:
        tell("interrupted: no process is left, the report is partial")
    elif ending.failure:
        tell(f"error: {ending.failure}")
    if status == CHECK_FAILED:
        say(f"repeat: {repeat}")
    if look_closer:
        look_closer(say)
    return status


def write_figures(figures: Mapping[str, Any], path: Path) -> None:
    """Write a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(figures, indent=1) + "\n")
    temporary.replace(path)
