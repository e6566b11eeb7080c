"""`make vllm-check`: the adapter inside the real vLLM, on the device model.

The same prompts go through vLLM with a large cache and nothing beneath, and through vLLM with a cache that is too small
and the device beneath. Exit status: 0 everything holds, 1 a check failed, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from sw.terminal import new_console
from tb.engines.environment import install, python_of
from tb.run import process
from tb.run.artefacts import published
from tb.run.command import Parser, checked_seed, run_command
from tb.run.errors import CheckError
from tb.run.paths import REPORT, ROOT, shown
from tb.run.provenance import provenance
from tb.run.store.database import FAILED, PASSED
from tb.run.store.keep import keep_run
from tb.sim.display import sayer

NAME = "vllm-check"
LIMIT_S = 1_800.0
TAIL = 3  # lines of vLLM's output in a message
BLOCKS = {"plain": 256, "adapter": 12}
"""vLLM blocks (128 tokens) of the engine's own cache: with the device beneath far fewer than the prompts need."""
SIZES = {
    "prompts": 6, "length": 300, "answer": 8, "rounds": 3,
    "crowd": 6, "crowd_length": 120, "crowd_answer": 150,
    "abort": 4, "abort_answer": 40, "abort_after": 6,
}  # fmt: skip
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Check:
    """One statement: whether it holds, and the figure behind it."""

    name: str
    holds: bool
    value: str


def _same(name: str, with_it: Mapping[str, Any], without: Mapping[str, Any]) -> Check:
    """Whether a part's tokens are the same."""
    mine, wanted = with_it["tokens"], without["tokens"]
    same = sum(one == other for one, other in zip(mine, wanted, strict=False))
    value = f"{same} of {len(wanted)} answers are the same"
    return Check(f"{name}: same tokens", same == len(wanted) == len(mine), value)


def checks(plain: Mapping[str, Any], adapter: Mapping[str, Any]) -> list[Check]:
    """Everything that must hold of the two runs."""
    parts, rounds = adapter["parts"], [one for name, one in adapter["parts"].items() if name.startswith("round")]
    found = [_same(name, parts[name], plain["parts"][name]) for name in plain["parts"]]
    stored, loaded = (sum(one[key] for one in rounds) for key in ("stored", "loaded"))
    found.append(Check("blocks stored through the device", stored > 0, f"{stored}"))
    found.append(Check("blocks loaded through the device", loaded > 0, f"{loaded}"))
    preempted = parts["preemption"]["preemptions"]
    found.append(Check("requests were preempted", preempted > 0, f"{preempted}"))
    idle = {name: part["state"]["copied"] for name, part in parts.items()}
    found.append(
        Check("no chunk is still copied after a part, aborted requests included", not any(idle.values()), str(idle))
    )
    slots = sum(adapter["left"]["slots"])
    found.append(Check("the directory is empty after shutdown", slots == 0, f"{slots} slots in use"))
    return found


def _run(name: str, folder: Path, seed: int, say: Any) -> dict[str, Any]:
    """One vLLM process. Raises CheckError when it fails."""
    ask, answer, log = (folder / f"{name}.{suffix}" for suffix in ("job", "result", "log"))
    job = {"model": str(folder / "model"), "adapter": name == "adapter", "blocks": BLOCKS[name], "seed": seed}
    ask.write_text(json.dumps({**job, "sizes": SIZES}))
    say(f"vLLM {'with the device beneath' if name == 'adapter' else 'alone'}: ...")
    begin = time.monotonic()
    ended = process.run(
        [str(python_of("vllm")), "-m", "tb.engines.vllm_run", str(ask), str(answer)],
        env=process.clean_env(ENVIRONMENT),
        cwd=ROOT,
        log=log,
        timeout_s=LIMIT_S,
    )
    if ended.timed_out:
        raise CheckError(f"vLLM ({name}) gave no result within {LIMIT_S / 60:g} minutes")
    if ended.status != 0 or not answer.exists():
        said = " | ".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        raise CheckError(f"vLLM ({name}) ended with status {ended.status}: {said}")
    found: dict[str, Any] = json.loads(answer.read_text())
    return {**found, "seconds": time.monotonic() - begin}


def _without_tokens(run: Mapping[str, Any]) -> dict[str, Any]:
    """For the report: how many answers there were, not what they say."""
    parts = {
        name: {**{key: value for key, value in part.items() if key != "tokens"}, "answers": len(part["tokens"])}
        for name, part in run["parts"].items()
    }
    return {**run, "parts": parts}


def _check(argv: list[str]) -> int:
    parser = Parser("python -m tb.engines.check", __doc__)
    parser.add_argument("--seed", default="1", help="of model and prompts (default 1)")
    given = parser.parse_args(argv)
    seed, console = checked_seed(given.seed), new_console()
    install("vllm")
    with TemporaryDirectory() as folder:
        runs = {name: _run(name, Path(folder), seed, sayer(console)) for name in BLOCKS}
    found = checks(runs["plain"], runs["adapter"])
    table = Table(title=f"{NAME}: vLLM {runs['adapter']['version']} on the device model", title_justify="left")
    for column in ("check", "", "seen"):
        table.add_column(column)
    for one in found:
        table.add_row(one.name, "holds" if one.holds else "fails", one.value)
    console.print(table)
    record = {
        **provenance(seed, {"sizes": SIZES, "blocks": BLOCKS, "dtype": "float32"}),
        "checks": [asdict(one) for one in found],
        "runs": {name: _without_tokens(run) for name, run in runs.items()},
    }
    failed = [one.name for one in found if not one.holds]
    with published(REPORT, NAME) as staged:
        (staged / f"{NAME}.json").write_text(json.dumps(record, indent=1) + "\n")
    keep_run(NAME, record, FAILED if failed else PASSED)
    sayer(console)(f"report: {shown(REPORT / f'{NAME}.json')}")
    if failed:
        raise CheckError(f"{len(failed)} of {len(found)} checks failed: {'; '.join(failed)}")
    return 0


def main(argv: list[str]) -> int:
    """Check; every foreseeable error is one line and a status."""
    return run_command(lambda: _check(argv), "interrupted: no process is left, no report was written")


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
