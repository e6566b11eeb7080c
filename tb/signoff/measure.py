"""From evidence to numbers. What has no evidence for the sources as they are is not measured."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tb.defects.__main__ import NOTICED
from tb.defects.catalogue import load as load_defects
from tb.formal.catalogue import load as load_proofs
from tb.formal.prove import BOUNDED, PROVEN
from tb.mutation.__main__ import LEGS as MUTATED
from tb.plan import STAGES, Row, read_plan
from tb.run.coverage import by_file
from tb.run.errors import CheckError
from tb.run.evidence import Evidence, read
from tb.run.exclusions import Exclusion, load_rules, stale, without, wrong
from tb.run.manifest import Leg
from tb.run.manifest import load as load_manifest
from tb.run.regress import points_of
from tb.signoff.numbers import NUMBERS, SEEDS, Value, shown

KINDS = {"line": "line", "branch": "branch", "toggle": "toggle", "expr": "expression"}  # as the simulator names them
TOPICS = Path(__file__).with_name("topics.toml")


@dataclass(frozen=True)
class Topic:
    """Something that the contract wants proven, from `stage` on, and the proofs that show it."""

    stage: str
    what: str
    proofs: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What the project says must be shown; `proofs`: the properties of each."""

    rows: Sequence[Row]
    legs: Sequence[Leg]
    goals: Sequence[str]
    topics: Sequence[Topic]
    proofs: Mapping[str, Sequence[str]]
    defects: Sequence[str]
    folders: Sequence[str]
    exclusions: Sequence[Exclusion] = ()


def read_topics(path: Path = TOPICS) -> list[Topic]:
    """The topics of the formal proofs. Raises CheckError for a malformed file."""
    topics = []
    for row in tomllib.loads(path.read_text()).get("topics", []):
        if set(row) != {"stage", "what", "proofs"} or row["stage"] not in STAGES:
            raise CheckError(f"{path.name}: a topic needs exactly stage ({', '.join(STAGES)}), what and proofs: {row}")
        topics.append(Topic(row["stage"], row["what"], tuple(row["proofs"])))
    return topics


def project_facts() -> Facts:
    """What the project's own files say. Raises UsageError, CheckError."""
    from tb.env.coverage import GOALS  # needs the simulator's Python packages

    proofs = {proof.name: [f"{proof.name}.{label}" for label in proof.properties] for proof in load_proofs()}
    defects = [defect.id for defect in load_defects()]
    legs, exclusions = load_manifest().legs, load_rules().exclusions
    return Facts(read_plan(), legs, GOALS, read_topics(), proofs, defects, tuple(MUTATED), exclusions)


def share(good: int, total: int) -> float:
    """Per cent with two digits, rounded down: 100 only when it is all."""
    return int(10_000 * good / total) / 100 if total else 0.0


def _share(good: int, total: int, found: Evidence, first: str = "") -> Value:
    note = f"{good:,} of {total:,}" + (f"; not among them: {first}" if first else "")
    return Value(share(good, total), note, found.time)


def _several(names: Iterable[str]) -> str:
    """ "a, b and 3 more"."""
    all_names = list(names)
    more = f" and {len(all_names) - 2} more" if len(all_names) > 2 else ""
    return ", ".join(all_names[:2]) + more


# ---------------------------------------------------------------- runs of the legs


def of_runs(found: Evidence, facts: Facts) -> dict[str, Value]:
    """Test plan, smoke legs, regression, functional points."""
    known = {f"{leg.name}.{test}" for leg in facts.legs for test in leg.tests}
    parts = {title: part for title, part in found.parts.items() if title.partition(" ")[0] in known}
    states: dict[str, list[bool]] = {}
    for title, part in parts.items():
        states.setdefault(title.partition(" ")[0], []).append(part["passed"])
    hit = {point for part in parts.values() if part["passed"] for point in part.get("points", ())}
    named = sorted({point for row in facts.rows for point in row.coverage})

    def shows(row: Row) -> bool:
        seen = [state for test in row.tests for state in states.get(test, [])]
        return any(seen) and all(seen)

    def in_full(row: Row) -> bool:
        return all(all(states.get(test, [False])) for test in row.tests) and hit >= set(row.coverage)

    def rows(good: Callable[[Row], bool], until: str) -> Value:
        meant = [row for row in facts.rows if row.stage <= until]
        failing = [f"row {row.id}" for row in meant if not good(row)]
        return _share(len(meant) - len(failing), len(meant), found, _several(failing))

    def points(wanted: Sequence[str]) -> Value:
        missed = [point for point in wanted if point not in hit]
        return _share(len(wanted) - len(missed), len(wanted), found, _several(missed))

    quick = [f"{leg.name}.{test} seed 1" for leg in facts.legs if leg.quick for test in leg.tests]
    every = [f"{leg.name}.{t} seed {s + 1}" for leg in facts.legs for t in leg.tests for s in range(SEEDS)]
    return {
        "plan_rows_shown": rows(shows, STAGES[-1]),
        "plan_rows_v2": rows(in_full, "V2"),
        "plan_rows_v3": rows(in_full, "V3"),
        "plan_points_hit": points(named),
        "points_hit": points(facts.goals),
        "smoke_runs_passed": _passed(quick, found),
        "regression_passed": _passed(every, found),
    }


def _passed(wanted: Sequence[str], found: Evidence) -> Value:
    """Share of these runs that passed; not measured while one of them was not made."""
    absent = [title for title in wanted if title not in found.parts]
    failed = [title for title in wanted if title not in absent and not found.parts[title]["passed"]]
    if absent:
        note = f"{len(absent):,} of {len(wanted):,} runs were not made: {_several(absent)}"
        return Value(None, note + (f"; {len(failed)} failed: {_several(failed)}" if failed else ""), found.time)
    return _share(len(wanted) - len(failed), len(wanted), found, _several(failed))


# ---------------------------------------------------------------- the other pieces


def of_lint(found: Evidence, _facts: Facts) -> dict[str, Value]:
    """Checks of the lint that failed."""
    counts = found.parts["lint"]
    return {"lint_failures": Value(counts["failed"], f"{counts['passed']} passed", found.time)}


def of_formal(found: Evidence, facts: Facts) -> dict[str, Value]:
    """Topics whose proofs hold, and properties by their result."""

    def holds(topic: Topic) -> bool:
        return bool(topic.proofs) and all(
            name in found.parts and not found.parts[name]["problems"] for name in topic.proofs
        )

    def topics(until: str) -> Value:
        meant = [topic for topic in facts.topics if topic.stage <= until]
        absent = sorted({n for topic in meant for n in topic.proofs if n in facts.proofs and n not in found.parts})
        if absent:
            return Value(None, f"not run: {_several(absent)}", found.time)
        failing = [topic.what.partition(":")[0] for topic in meant if not holds(topic)]
        return _share(len(meant) - len(failing), len(meant), found, _several(failing))

    def properties(*results: str) -> Value:
        absent = [name for name in facts.proofs if name not in found.parts]
        if absent:
            return Value(None, f"not run: {_several(absent)}", found.time)
        stated = [label for labels in facts.proofs.values() for label in labels]
        rows = {label: row for part in found.parts.values() for label, row in part["properties"].items()}
        failing = [
            label
            for label in stated
            if label not in rows or rows[label]["result"] not in results or rows[label]["vacuous"]
        ]
        return _share(len(stated) - len(failing), len(stated), found, _several(failing))

    return {
        "formal_topics_v1": topics("V1"),
        "formal_topics": topics("V2"),
        "properties_settled": properties(PROVEN, BOUNDED),
        "properties_unbounded": properties(PROVEN),
    }


def proven(formal: Evidence) -> set[str]:
    """Labels ("<proof>.<property>") that hold in every reachable state."""
    rows = (row for part in formal.parts.values() if not part["problems"] for row in part["properties"].items())
    return {label for label, row in rows if row["result"] == PROVEN and not row["vacuous"]}


def of_coverage(found: Evidence, facts: Facts, proofs: set[str]) -> dict[str, Value]:
    """Code coverage by kind, before and after exclusions; not measured while a leg is missing.

    An exclusion counts when its line is unchanged, nothing hit it, and its proof, where it names one, is in `proofs`.
    """
    files = by_file(points_of(found.parts))
    absent = [leg.name for leg in facts.legs if leg.expect == "pass" and leg.name not in found.parts["legs"]]

    def good(exclusion: Exclusion) -> bool:
        kept = not any(stale([exclusion])) and not any(wrong(files, [exclusion]))
        return kept and (not exclusion.proof or exclusion.proof in proofs)

    counting = [exclusion for exclusion in facts.exclusions if good(exclusion)]
    idle = len(facts.exclusions) - len(counting)
    values = {}
    for suffix, measured, more in (
        ("", files, ""),
        ("_after", without(files, counting), f"; {idle} exclusions do not count" if idle else ""),
    ):
        for kind, name in KINDS.items():
            hit = sum(entry.hit[kind] for entry in measured.values())
            total = sum(entry.total[kind] for entry in measured.values())
            value = _share(hit, total, found)
            if absent:
                part = f"{shown(value.value, '%')} without {len(absent)} of {len(facts.legs)} legs: {_several(absent)}"
                value = Value(None, part, found.time)
            values[f"{name}_coverage{suffix}"] = replace(value, note=value.note + more)
    return values


def of_defects(found: Evidence, facts: Facts) -> dict[str, Value]:
    """Planted defects that were detected, and those that were not."""
    tried = [name for name in facts.defects if name in found.parts]
    missed = [name for name in tried if found.parts[name]["verdict"] != NOTICED]
    note = f"{len(tried)} of {len(facts.defects)} were planted"
    return {
        "defects_detected": Value(len(tried) - len(missed), note, found.time),
        "defects_missed": Value(len(missed), _several(missed) or note, found.time),
    }


def of_mutation(found: Evidence, facts: Facts) -> dict[str, Value]:
    """Mutants that were tried and that survived; not measured while a folder of the RTL is missing."""
    absent = [folder for folder in facts.folders if folder not in found.parts]
    if absent:
        nothing = Value(None, f"folders not mutated: {_several(absent)}", found.time)
        return {"mutants": nothing, "mutants_survived": nothing}
    total = {key: sum(part[key] for part in found.parts.values()) for key in ("mutants", "noticed", "explained")}
    note = f"{total['noticed']:,} of {total['mutants']:,} detected, {total['explained']} with a reason"
    survived = total["mutants"] - total["noticed"] - total["explained"]
    return {"mutants": Value(total["mutants"], "", found.time), "mutants_survived": Value(survived, note, found.time)}


def of_soak(found: Evidence, _facts: Facts) -> dict[str, Value]:
    """Cycles of the runs that passed, and how many failed."""
    failed = [title for title, part in found.parts.items() if not part["passed"]]
    cycles = sum(part["cycles"] for part in found.parts.values() if part["passed"])
    return {
        "soak_cycles": Value(cycles, f"{len(found.parts):,} runs", found.time),
        "soak_failures": Value(len(failed), _several(failed), found.time),
    }


def of_software(found: Evidence, _facts: Facts) -> dict[str, Value]:
    """Branch coverage of the Python code."""
    counts = found.parts["branches"]
    return {"software_branch_coverage": _share(counts["covered"], counts["total"], found)}


MEASURES: dict[str, Callable[[Evidence, Facts], dict[str, Value]]] = {
    "runs": of_runs,
    "lint": of_lint,
    "formal": of_formal,
    "defects": of_defects,
    "mutation": of_mutation,
    "soak": of_soak,
    "software": of_software,
}
"""What makes the numbers of a piece from its evidence."""


def measure(facts: Facts, evidence: Callable[[str], Evidence] = read) -> dict[str, Value]:
    """All numbers, from what is known for the sources as they are."""
    found = {piece: evidence(piece) for piece in {number.piece for number in NUMBERS}}
    values = {
        number.name: Value(None, found[number.piece].reason or "nothing was found", found[number.piece].time)
        for number in NUMBERS
    }
    for piece, numbers_of in MEASURES.items():
        if found[piece].parts:
            values |= numbers_of(found[piece], facts)
    if found["coverage"].parts:
        values |= of_coverage(found["coverage"], facts, proven(found["formal"]))
    return values
