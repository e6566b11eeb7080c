"""Which point a user, or a leg of the testbench, means: the same in the front and in the simulator's process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sw.replay.agents import generate_agents
from sw.replay.generator import generate
from sw.replay.readers import assumption
from sw.replay.readers import load as read
from sw.replay.trace import Trace, TraceError
from tb.lab import settings as declared
from tb.lab.point.job import Point, point_of
from tb.lab.stream import stream_of
from tb.run.errors import UsageError
from tb.run.paths import ROOT

GENERATORS = {"chat": generate, "agents": generate_agents}
"""Generators of traces by the names that settings have for them."""
EXPERIMENT = "eviction"
"""That of a point whose configuration names none."""


def named(options: Mapping[str, Any], say: Callable[[str], None] | None = None) -> Point:
    """The point of `config`, on `trace` (`requests`, `block_size`, `time_unit`) or the one generator it names.

    `slots` and `policy` go before what the file says. `say` gets what was assumed of the trace. Raises UsageError for
    what cannot be run.
    """
    config = ROOT / str(options["config"])
    chosen = declared.Chosen.parsed(options.get("slots"), options.get("policy"))
    experiment = declared.load(EXPERIMENT, config)["point"]["experiment"]
    settings = chosen.applied(declared.load(experiment, config), experiment)
    trace, requests, word = options.get("trace"), options.get("requests"), None
    if trace:
        path = Path(trace)
        try:
            content = read(path, requests, block_tokens=options.get("block_size"), unit=options.get("time_unit"))
        except TraceError as error:
            raise UsageError(f"trace {error}") from None
        word = assumption(path, content)
        stream = stream_of(path.name, content, path)
    else:
        kinds, count = settings["traces"]["generated"], settings["traces"]["requests"]
        if len(kinds) != 1:
            raise UsageError(
                f"{config}: `traces.generated` has {len(kinds)} values, and `make sim` runs one: leave one"
            )
        made = Trace(list(islice(GENERATORS[kinds[0]](settings["seed"], count), requests or count)))
        stream = stream_of(kinds[0], made)
    declared.check_fit(settings, stream)
    point = point_of(settings, stream, config)
    if say is not None and word:
        say(word)
    return point
