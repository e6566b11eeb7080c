"""`python -m tb.run.cluster.remote REQUEST REPLY`: build and run one job in the sources that a worker has unpacked.

Ends with its standard input: that is the worker's end, or its wish. The reply is a zip file: `reply.json` and the files
of the run below `run/`; of a build that failed the tool's log below `cache/`.
"""

import json
import os
import pickle
import signal
import sys
import threading
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tb.run.build import BuildSpec, build
from tb.run.command import run_command
from tb.run.errors import CheckError, UsageError
from tb.run.leg import Job, run_built
from tb.run.paths import CACHE, ROOT

REPLY = "reply.json"
RUN, LOGS = "run/", "cache/"


@dataclass(frozen=True)
class Request:
    """A job and the build it runs on, as the sender has them: `root` is the root of the sender's checkout."""

    job: Job
    spec: BuildSpec
    root: Path


def _here(spec: BuildSpec, root: Path) -> BuildSpec:
    """A spec of the sender for the sources here."""
    return replace(spec, root=ROOT / spec.root.relative_to(root))


def _localised(request: Request) -> tuple[Job, BuildSpec]:
    leg = request.job.leg
    leg = replace(leg, top=replace(leg.top, spec=_here(leg.top.spec, request.root)))
    return replace(request.job, leg=leg), _here(request.spec, request.root)


def _answer(request: Request, files: zipfile.ZipFile) -> dict[str, Any]:
    job, spec = _localised(request)
    try:
        built = build(spec, lambda _text: None, jobs=os.cpu_count() or 1)
    except CheckError as error:
        for log in CACHE.glob(f"failed-{spec.name}-*.log"):
            files.write(log, f"{LOGS}{log.name}")
        return {"root": str(ROOT), "broken": str(error)}
    outcome = run_built(job, built)
    folder = outcome.log.parent
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.write(path, f"{RUN}{path.relative_to(folder)}")
    waves = outcome.waves.name if outcome.waves else None
    return {"root": str(ROOT), "verdict": asdict(outcome.verdict), "seconds": outcome.seconds, "waves": waves}


def _serve(asked: Path, reply: Path) -> int:
    request = pickle.loads(asked.read_bytes())
    part = reply.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as files:
        try:
            answer = _answer(request, files)
        except UsageError as error:
            answer = {"root": str(ROOT), "refused": str(error)}
        files.writestr(REPLY, json.dumps(answer))
    part.rename(reply)
    return 0


def end_with_input() -> None:
    """End this process as SIGTERM does when its standard input ends."""

    def follow() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="end of input", daemon=True).start()


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    end_with_input()
    return run_command(lambda: _serve(Path(arguments[0]), Path(arguments[1])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
