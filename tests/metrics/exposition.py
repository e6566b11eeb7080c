"""A strict reader of Prometheus' text format 0.0.4, written from its description."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HEAD = re.compile(rf"# (HELP|TYPE) ({NAME}) (.*)")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|Inf)|NaN")
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


@dataclass
class Family:
    help: str
    type: str = "untyped"
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)


def unescape(text: str) -> str:
    return re.sub(r'\\[\\n"]', lambda match: UNESCAPED[match[0]], text)


def read(text: str) -> dict[str, Family]:
    """Families by name.

    Raises:
        ValueError: a line that is not of the format, a name or sample twice, or a family without its heads.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no line feed")
    families: dict[str, Family] = {}
    current = ""
    for line in text.split("\n")[:-1]:
        if head := HEAD.fullmatch(line):
            kind, name, rest = head.groups()
            if kind == "HELP":
                if name in families:
                    raise ValueError(f"{name} twice")
                families[name] = Family(unescape(rest))
                current = name
            elif name != current or families[name].samples or rest not in TYPES:
                raise ValueError(f"TYPE of {name} in a wrong place")
            else:
                families[name].type = rest
            continue
        sample = SAMPLE.fullmatch(line)
        if not sample or not NUMBER.fullmatch(sample[3]):
            raise ValueError(f"not a line of the format: {line!r}")
        family = families[current]
        suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        if sample[1] not in [current + suffix for suffix in suffixes]:
            raise ValueError(f"{sample[1]} within family {current}")
        key = sample[1], labels(sample[2] or "")
        if key in family.samples:
            raise ValueError(f"sample {key} twice")
        family.samples[key] = float(sample[3])
    return families


def labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        pair = PAIR.match(text, place)
        if not pair:
            raise ValueError(f"labels {text!r}")
        pairs.append((pair[1], unescape(pair[2])))
        place = pair.end()
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError(f"a label twice in {text!r}")
    return tuple(sorted(pairs))
