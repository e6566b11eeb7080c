"""The catalogue of planted defects, `tb/defects/defects.toml`."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT

CATALOGUE = ROOT / "tb" / "defects" / "defects.toml"
GUIDE = ROOT / "docs" / "verification.md"
_HEAD = "| id | section | what it breaks | test that detects it |\n| --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Defect:
    """One defect: in `file`, the only place that reads `old` becomes `new`.

    `sentence` is what it breaks (with the section of docs/device.md), `test` the `<leg>.<test>` that
    must fail, `message` a regular expression that its failure must match.
    """

    id: str
    section: str
    sentence: str
    file: str
    old: str
    new: str
    test: str
    message: str

    def planted(self, root: Path) -> str:
        """The text of the defect's file with the defect in it. Raises CheckError when `old` is not
        there exactly once."""
        path = root / self.file
        if not path.is_file():
            raise CheckError(f"defect {self.id}: {self.file} does not exist")
        text = path.read_text()
        if text.count(self.old) != 1:
            raise CheckError(
                f"defect {self.id}: {self.file} holds its `old` text {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new)


def load(path: Path = CATALOGUE) -> list[Defect]:
    """All defects. Raises CheckError for a malformed catalogue."""
    fields = set(Defect.__dataclass_fields__)
    defects: list[Defect] = []
    try:
        rows = tomllib.loads(path.read_text()).get("defects", [])
    except tomllib.TOMLDecodeError as error:
        raise CheckError(f"{path.name}: {error}") from None
    for row in rows:
        if set(row) != fields:
            raise CheckError(f"{path.name}: a defect needs exactly {', '.join(sorted(fields))}; got {sorted(row)}")
        defect = Defect(**row)
        try:
            re.compile(defect.message)
        except re.error as error:
            raise CheckError(f"defect {defect.id}: message is no regular expression: {error}") from None
        defects.append(defect)
    ids = [defect.id for defect in defects]
    if len(ids) != len(set(ids)):
        raise CheckError(f"{path.name}: an id is used twice")
    return defects


def chosen(defects: Sequence[Defect], only: Sequence[str]) -> list[Defect]:
    """The defects named in `only`, all without. Raises UsageError for an unknown id."""
    known = {defect.id: defect for defect in defects}
    for name in only:
        if name not in known:
            raise UsageError(f"no defect is called {name} (see `python -m tb.defects --list`)")
    return [known[name] for name in only] if only else list(defects)


def guide_with_table(defects: Sequence[Defect], guide: Path = GUIDE) -> str:
    """The text of the verification guide with the table of these defects in place of its own.

    Raises:
        CheckError: the guide has no such table.
    """
    before, head, rest = guide.read_text().partition(_HEAD)
    if not head:
        raise CheckError(f"{guide.name} has no table of planted defects")
    rows = [f"| {d.id} | {d.section} | {d.sentence} | `{d.test}` |\n" for d in defects]
    after = re.sub(r"\A(\|.*\n)*", "", rest)
    return before + head + "".join(rows) + after
