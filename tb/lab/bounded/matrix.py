"""The cells that the settings declare (experiments.md 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tb.lab.bounded.bound import Controls
from tb.lab.bounded.cells import CONSTRAINED, Cell

BASELINE: dict[str, Any] = {"controls": Controls(), "scheduler": "cbs_soft"}
"""What a runtime that constrains nothing has: soft servers, demand moves, blocks inserted when they are needed."""
KINDS: dict[str, dict[str, Any]] = {"constrained": {}, "baseline": BASELINE}
MIDDLE = 50
"""Load of the groups that vary something else, in percent; none where the settings leave it out."""
CAUSES = {
    "compute": "algorithmic",
    "lookup": "algorithmic",
    "bus": "algorithmic",
    "insert": "memory",
    "move": "memory",
    "background": "hardware",
    "throttle": "concurrency",
}
"""Where each part of a token's time belongs in the taxonomy of causes."""


def cells(settings: dict[str, Any]) -> list[Cell]:
    """All cells, group by group; a cell that cannot fit is among them."""
    matrix, tokens = settings["matrix"], settings["tokens"]
    loads = matrix["loads"]
    load = MIDDLE if MIDDLE in loads else max(loads)
    base = Cell("", "", load=load, tokens=tokens["matrix"])
    found = [
        replace(base, group="contention", name=f"{kind} {percent} %", load=percent, tokens=tokens[kind], **given)
        for percent in loads
        for kind, given in KINDS.items()
    ]
    found += _controls(base, matrix["controls"])
    found += [
        replace(
            base, group="model", name=f"{model} {form}", model=model, quantisation=form, tokens=_fewer(model, tokens)
        )
        for model in matrix["models"]
        for form in matrix["quantisations"]
    ]
    found += [replace(base, group="context", name=f"{context:,}", context=context) for context in matrix["contexts"]]
    found += [
        replace(base, group="streams", name=f"{count} {kind}", streams=count, **given)
        for count in matrix["streams"]
        for kind, given in KINDS.items()
    ]
    found += [replace(base, group="sampling", name=name, sampling=name) for name in matrix["samplings"]]
    found += [replace(base, group="scheduler", name=name, scheduler=name, streams=4) for name in matrix["schedulers"]]
    if "L" in matrix["models"]:
        large = replace(base, group="large", model="L", context=4096, tokens=tokens["large"], span=tokens["large"])
        found += [replace(large, name=f"L 4,096 {count} streams", streams=count, load=0) for count in (1, 2, 8)]
        found.append(replace(large, name=f"L 4,096 1 stream {load} %"))
    return found


def _fewer(model: str, tokens: dict[str, int]) -> int:
    return tokens["large"] if model == "L" else tokens["matrix"]


def _controls(base: Cell, names: list[str]) -> list[Cell]:
    """Nothing, each alone, all together."""
    alone = [replace(base, group="controls", name="baseline", **BASELINE)]
    for name in names:
        if name == "hard":
            alone.append(replace(base, group="controls", name="hard", controls=Controls(), scheduler="cbs_hard"))
        else:
            alone.append(
                replace(base, group="controls", name=name, controls=Controls(**{name: True}), scheduler="cbs_soft")
            )
    return [*alone, replace(base, group="controls", name="all", controls=CONSTRAINED)]
