"""Survivors that are no holes, each with its reason: `tb/mutation/explained.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tb.mutation.schema import Mutant
from tb.run.errors import CheckError

EXPLAINED = Path(__file__).with_name("explained.toml")


@dataclass(frozen=True)
class Explained:
    """Reasons by (file, before, after), the texts with single spaces."""

    reasons: dict[tuple[str, str, str], str]

    def reason(self, mutant: Mutant) -> str:
        """Why this mutant is equivalent; empty when it is not explained."""
        return self.reasons.get((mutant.file, _plain(mutant.before), _plain(mutant.after)), "")


def _plain(text: str) -> str:
    return " ".join(text.split())


def load_explained(path: Path = EXPLAINED) -> Explained:
    """The list of survivors with reasons.

    Raises:
        CheckError: an entry lacks a field or gives no reason.
    """
    reasons: dict[tuple[str, str, str], str] = {}
    for row in tomllib.loads(path.read_text()).get("survivors", []):
        if set(row) != {"file", "before", "after", "reason"} or not row["reason"].strip():
            raise CheckError(f"{path.name}: a survivor needs file, before, after and a reason; got {sorted(row)}")
        reasons[row["file"], _plain(row["before"]), _plain(row["after"])] = row["reason"]
    return Explained(reasons)
