"""The proofs, `tb/formal/proofs.toml`: what is proven of which module, under which assumptions, by which engine."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT

CATALOGUE = ROOT / "tb" / "formal" / "proofs.toml"
STAGES = ("V1", "V2")
ENGINES = ("induction", "pdr", "bmc")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A defect: the only `old` in `file` becomes `new`; every property in `detects` must fail on it.

    It is looked for by a bounded run of `depth` cycles, with `parameters` in place of the proof's where it has some.
    """

    file: str
    old: str
    new: str
    detects: tuple[str, ...]
    depth: int
    parameters: Mapping[str, int] = field(default_factory=dict)

    def text(self, root: Path = ROOT) -> str:
        """The file with the defect in it. Raises CheckError when `old` is not there exactly once."""
        path = root / self.file
        if not path.is_file():
            raise CheckError(f"planted defect: {self.file} does not exist")
        text = path.read_text()
        if text.count(self.old) != 1:
            found = text.count(self.old)
            raise CheckError(f"planted defect: {self.file} holds `{self.old}` {found} times, not once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One module in one size, with the properties that its property module states.

    `files` are the sources, with those of the property module. `engine`: "induction" over `depth` cycles, "pdr"
    (unbounded, no depth; `depth` is that of the bounded run where it gives no answer), or "bmc" to `depth`. Premises
    are looked for to `cover_depth`, in a smaller module when `cover_parameters` says so. `properties` and
    `assumptions` give the sentence of each, by its label.
    """

    name: str
    group: str
    stage: str
    top: str
    files: tuple[str, ...]
    engine: str
    depth: int
    cover_depth: int
    properties: Mapping[str, str]
    assumptions: Mapping[str, str]
    planted: tuple[Planted, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)
    cover_parameters: Mapping[str, int] = field(default_factory=dict)
    timeout_s: int = 600


T = TypeVar("T", Planted, Proof)


def _read(kind: type[T], row: Mapping[str, Any], where: str) -> T:
    """A record of exactly the fields of `kind`. Raises CheckError."""
    known = {item.name for item in fields(kind)}
    needed = {item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING}
    for wrong, what in ((needed - row.keys(), "is missing"), (row.keys() - known, "is unknown")):
        if wrong:
            raise CheckError(f"{where}: {min(wrong)} {what}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    make: Any = kind
    made: T = make(**values)
    return made


def _checked(proof: Proof) -> Proof:
    """`proof`. Raises CheckError for values that no run can have."""
    for what, value, known in (("stage", proof.stage, STAGES), ("engine", proof.engine, ENGINES)):
        if value not in known:
            raise CheckError(f"proof {proof.name}: {what} {value} is none of {', '.join(known)}")
    if not proof.properties:
        raise CheckError(f"proof {proof.name} has no property")
    for label in proof.properties:
        if not label.startswith("p_"):
            raise CheckError(f"proof {proof.name}: the label of a property begins with p_, not so {label}")
    for defect in proof.planted:
        for label in defect.detects:
            if label not in proof.properties:
                raise CheckError(f"proof {proof.name}: a planted defect names {label}, which is no property of it")
    return proof


def _with_like(row: Mapping[str, Any], before: Sequence[Mapping[str, Any]], where: str) -> Mapping[str, Any]:
    """A row with `like`: what it does not say itself is as in that earlier row, but for the planted defects."""
    if "like" not in row:
        return row
    for other in before:
        if other.get("name") == row["like"]:
            base = {key: value for key, value in other.items() if key != "planted"}
            return base | {key: value for key, value in row.items() if key != "like"}
    raise CheckError(f"{where}: proof {row.get('name', '')} is like {row['like']}, which is not before it")


def load(path: Path = CATALOGUE) -> list[Proof]:
    """All proofs, in their order. Raises CheckError for a malformed catalogue."""
    try:
        rows = tomllib.loads(path.read_text()).get("proof", [])
    except tomllib.TOMLDecodeError as error:
        raise CheckError(f"{path.name}: {error}") from None
    proofs: list[Proof] = []
    for number, written in enumerate(rows, 1):
        row = _with_like(written, rows[: number - 1], path.name)
        where = f"{path.name}: proof {row.get('name', number)}"
        planted = [_read(Planted, defect, f"{where}: a planted defect") for defect in row.get("planted", [])]
        proofs.append(_checked(_read(Proof, {"assumptions": {}, **row, "planted": planted}, where)))
    names = [proof.name for proof in proofs]
    for name in names:
        if names.count(name) > 1:
            raise CheckError(f"{path.name}: two proofs are called {name}")
    return proofs


def never_seen_to_fail(proofs: Sequence[Proof]) -> list[str]:
    """Properties, by module and label, that no planted defect of any size of the module makes fail."""
    stated = {(proof.top, label) for proof in proofs for label in proof.properties}
    seen = {(proof.top, label) for proof in proofs for defect in proof.planted for label in defect.detects}
    return sorted(f"{top}.{label}" for top, label in stated - seen)


def chosen(proofs: Sequence[Proof], only: Sequence[str]) -> list[Proof]:
    """The proofs that `only` names by name, group or stage; all without. Raises UsageError for an unknown name."""
    named = {name for proof in proofs for name in (proof.name, proof.group, proof.stage)}
    for name in only:
        if name not in named:
            raise UsageError(f"ONLY={name}: no proof, group or stage is called that (see `python -m tb.formal --list`)")
    return [proof for proof in proofs if not only or {proof.name, proof.group, proof.stage} & set(only)]
