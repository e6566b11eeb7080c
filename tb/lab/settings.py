"""Settings of an experiment: its declarative file, the user's on top of it, both checked against the schema."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from sw.replay.config import LARGEST
from tb.lab.stream import Stream
from tb.run.command import whole
from tb.run.errors import UsageError
from tb.run.paths import ROOT, shown

EXPERIMENTS = Path(__file__).resolve().parent / "experiments"
SCHEMA = ROOT / "docs" / "schemas" / "kvcpu-experiment-v1.schema.json"
OWN_SCHEMAS = {"bounded": SCHEMA.with_name("kvcpu-bounded-v1.schema.json")}
"""Experiments whose keys have nothing in common with the others'."""
U16 = 0xFFFF
LEAST_SLOTS, MOST_SLOTS = 64, 65_536
POLICIES = {"eviction": ("policy", "layers"), "serving": ("serving", "policies")}
"""Table and key of what an experiment compares: what POLICY replaces."""
Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What SLOTS and POLICY put in the place of an experiment's settings; empty: not given.

    Attributes:
        slots: of the fast tier, one run for each.
        policies: layers of HEPC, and the other stores of `serving`.
    """

    slots: tuple[int, ...] = ()
    policies: tuple[str, ...] = ()

    @classmethod
    def parsed(cls, slots: str | None, policy: str | None) -> Chosen:
        """The values of the variables, None for one that was not given. Raises UsageError."""
        numbers = [whole(one, "SLOTS", LEAST_SLOTS, MOST_SLOTS) for one in _listed(slots, "SLOTS")]
        return cls(tuple(numbers), tuple(_listed(policy, "POLICY")))

    def applied(self, settings: Table, name: str) -> Table:
        """Settings of the experiment `name` with these in their place. Raises UsageError."""
        if self.slots:
            settings = _merged(settings, {"device": {"capacities": list(self.slots)}})
        if not self.policies:
            return settings
        table, key = POLICIES[name]
        known = json.loads(SCHEMA.read_text())["properties"][table]["properties"][key]
        known = known.get("items", known)["enum"]
        for policy in self.policies:
            if policy not in known:
                always = "" if "lru" in known else "; classic policies and the optimum are always run"
                raise UsageError(f"POLICY={policy}: for `{name}` one of {', '.join(known)} is needed{always}")
        return _merged(settings, {table: {key: list(self.policies)}})


def _listed(text: str | None, name: str) -> list[str]:
    """The values of a variable, with commas between them. Raises UsageError for one that is there twice."""
    found = [] if text is None else [one.strip() for one in text.split(",")]
    if len(set(found)) < len(found):
        raise UsageError(f"{name}={text}: a value is there twice")
    return found


def names() -> list[str]:
    """Experiments that there are."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.toml"))


def load(name: str, config: Path | None = None) -> Table:
    """Settings of an experiment, those of a user's file in place of its own.

    Raises:
        UsageError: no such file, not TOML, or a key or value that the schema does not have.
    """
    schema = OWN_SCHEMAS.get(name, SCHEMA)
    settings = _read(EXPERIMENTS / f"{name}.toml", schema)
    if config is not None:
        own = _read(config, schema)
        for fixed in ("name", "question"):
            if fixed in own:
                raise UsageError(f"{shown(config)}: `{fixed}` is the experiment's own; leave it out")
        settings = _merged(settings, own)
    return settings


def _read(path: Path, schema: Path) -> Table:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{shown(path)}: {(error.strerror or str(error)).lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown(path)}: not TOML: {error}") from None
    check(settings, shown(path), schema)
    return settings


def check(settings: Mapping[str, Any], where: str, schema: Path = SCHEMA) -> None:
    """Raise UsageError for the first thing that the schema does not allow, with its place and what is allowed."""
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    for error in sorted(validator.iter_errors(settings), key=lambda one: list(map(str, one.absolute_path))):
        place = ".".join(map(str, error.absolute_path))
        raise UsageError(
            f"{where}: {f'`{place}`: ' if place else ''}{error.message} (keys: docs/laboratory.md, docs/bounded.md)"
        )


def _merged(base: Table, own: Table) -> Table:
    """`own` in place of what `base` has, table by table."""
    merged = dict(base)
    for key, value in own.items():
        merged[key] = (
            _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        )
    return merged


def check_fit(settings: Table, stream: Stream) -> None:
    """Raise UsageError for a workload that these settings cannot run: said before anything runs."""
    device, largest = settings["device"], int((stream.first[1:] - stream.first[:-1]).max())
    entries = device["entries"]
    if largest > LARGEST * entries:
        raise UsageError(
            f"trace {stream.name}: a prompt has {largest:,} blocks, and a device of {entries:,} entries holds prompts "
            f"of up to {int(LARGEST * entries):,}: give device.entries a larger value"
        )
    for capacity in device["capacities"]:
        if capacity > entries:
            raise UsageError(
                f"device.capacities: {capacity:,} slots need as many directory entries, and device.entries is "
                f"{entries:,}"
            )
        needed = largest + _grown(settings, stream) + device["reserve"]
        if capacity < needed:
            reserve = f" and a reserve of {device['reserve']:,}" if device["reserve"] else ""
            raise UsageError(
                f"trace {stream.name}: a prompt has {largest:,} blocks, {needed:,} with its answer{reserve}, and a "
                f"fast tier of {capacity:,} slots cannot hold it: leave this capacity out of device.capacities"
            )
        for name in ("low", "high"):
            if device[name] > capacity:
                raise UsageError(
                    f"device.{name}: {device[name]:,} free slots are never reached in a fast tier of {capacity:,}"
                )
    _check_device(settings)


def _grown(settings: Table, stream: Stream) -> int:
    """Blocks that an answer adds to a prompt, where answers take room."""
    return int(stream.output.max()) // stream.block_tokens + 1 if "serving" in settings else 0


def _check_device(settings: Table) -> None:
    """Raise UsageError for registers that contradict one another."""
    device, policy = settings["device"], settings["policy"]
    for name in ("low", "high"):
        if 0 < device[name] < device["reserve"]:
            raise UsageError(
                f"device.{name}: {device[name]:,} is below device.reserve ({device['reserve']:,}): pressure would end "
                "before a move finds a slot; give it at least the reserve, or 0 for what each request needs"
            )
    threshold = policy.get("weights", {}).get("evict_thresh", 0)
    if threshold > policy["prefetch_thresh"]:
        raise UsageError(
            f"policy.weights.evict_thresh: {threshold:,} is above policy.prefetch_thresh "
            f"({policy['prefetch_thresh']:,}), and the device refuses that"
        )
    if policy["room"] == "exact" and (threshold or policy["prefetch_thresh"] < U16):
        raise UsageError(
            'policy.room = "exact" sets EVICT_THRESH itself, at any score: leave policy.weights.evict_thresh and '
            "policy.prefetch_thresh at their defaults"
        )
