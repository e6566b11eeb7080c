"""Viewer sessions of a wave file: which signals matter, in groups, shown by the names of their values.

A top of the manifest lists them: `<path> [= <how>]`, relative to the top module, where how is `dec`, `hex`, or an
enumeration of the RTL. Sessions name no folder: they are opened where they lie.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tb.run.errors import CheckError
from tb.run.manifest import Top
from tb.run.paths import ROOT
from tb.run.svenum import find_enum

ALONE = "Signals"  # the group of signals that have none
ZOOM = -13.6  # GTKWave's: 2^13.6 ps in 200 pixels, so that a cycle of 4 ns has room for the name of an operation
BEFORE_CYCLES = 10  # shown before the marker

# GTKWave's flags of a trace: its radix; names out of a file, or those that the wave file has; a group's begin and end.
_HEX, _BIT, _DEC, _NAMED, _OWN_NAMES = "@22", "@28", "@24", "@2022", "@100000028"
_GROUP_BEGIN, _GROUP_END = "@800200", "@1000200"


class Variable(Protocol):
    """What is used of a variable of a wave file."""

    full_name: str
    bitwidth: int | None
    enum_type: object


@dataclass(frozen=True)
class Shown:
    """One signal of a session: its name in the file, its path to read, its width, and how it is shown.

    `has_names`: the wave file itself holds the names of its values (FST does, VCD does not).
    """

    name: str
    path: str
    bits: int
    how: str
    has_names: bool = False

    @property
    def gtkw_name(self) -> str:
        """As GTKWave names it."""
        return self.name if self.bits == 1 else f"{self.name}[{self.bits - 1}:0]"

    @property
    def alias(self) -> str:
        """Its path in the device; GTKWave would show only what follows the last full stop."""
        return self.path.removeprefix("u_dut.").replace(".", "/")


def groups_of(top: Top) -> dict[str, list[tuple[str, str]]]:
    """The top's groups: (path, how) of each signal."""
    listed: Mapping[str, tuple[str, ...]] = top.waves if isinstance(top.waves, Mapping) else {ALONE: top.waves}
    return {group: [_entry(text) for text in entries] for group, entries in listed.items()}


def _entry(text: str) -> tuple[str, str]:
    path, _, how = text.partition(" = ")
    return path.strip(), how.strip()


def chosen_signals(top: Top, variables: list[Variable]) -> dict[str, list[Shown]]:
    """The signals of a top's groups as the wave file has them. Raises CheckError: the file has no such signal."""
    module = top.spec.module
    found = {_one_form(_relative(variable.full_name, module)): variable for variable in variables}
    chosen: dict[str, list[Shown]] = {}
    for group, entries in groups_of(top).items():
        for path, how in entries:
            if _one_form(path) not in found:
                raise CheckError(f"top `{top.spec.name}`, waves of `{group}`: no signal {path} in the wave file")
            one = found[_one_form(path)]
            shown = Shown(one.full_name, path, one.bitwidth or 1, how, one.enum_type is not None)
            chosen.setdefault(group, []).append(shown)
    return chosen


def _relative(name: str, module: str) -> str:
    """A signal's path below the top module."""
    _, found, below = f".{name}".partition(f".{module}.")
    return below if found else name


def _one_form(path: str) -> str:
    """An element of an array is a scope `q.[0]` in FST and `q[0]` in VCD."""
    return path.replace(".[", "[")


def value_names(how: str) -> dict[str, int] | None:
    """Names of the values of an enumeration; None for a radix. Raises LookupError."""
    return None if how in ("", "dec", "hex") else find_enum(ROOT, how)


def write_sessions(
    waves: Path, top: Top, groups: Mapping[str, list[Shown]], mark_ps: int | None, start_ps: int
) -> tuple[Path, Path]:
    """Write a GTKWave save file and a Surfer command file next to `waves`; returns both paths.

    `mark_ps`: when the run failed, if it did: a marker is there; else the view begins at `start_ps`.
    """
    gtkw, sucl = waves.with_suffix(".gtkw"), waves.with_suffix(".sucl")
    begin = start_ps if mark_ps is None else max(0, mark_ps - BEFORE_CYCLES * top.clock_ps)
    marks = "-1" if mark_ps is None else str(mark_ps)
    lines = [f'[dumpfile] "{waves.name}"', '[savefile] "waves.gtkw"', f"[timestart] {begin}", "[size] 1600 1000"]
    lines += [f"*{ZOOM:.6f} {marks} {marks}" + " -1" * 25, "[sst_expanded] 0", "[signals_width] 430"]
    for group, signals in groups.items():
        lines += [_GROUP_BEGIN, f"-{group}"]
        for signal in signals:
            lines += _gtkw_signal(waves.parent, signal)
        lines += [_GROUP_END, f"-{group}"]
    gtkw.write_text("\n".join(lines) + "\n")
    commands = [f"load_file {waves.name}"]
    for group, signals in groups.items():
        commands += [f"divider_add {group}", *(f"variable_add {signal.name}" for signal in signals)]
    commands += ["zoom_fit"] if mark_ps is None else [f"cursor_set {mark_ps}", "goto_cursor"]
    sucl.write_text("\n".join(commands) + "\n")
    return gtkw, sucl


def _gtkw_signal(folder: Path, signal: Shown) -> Iterator[str]:
    """Lines of one trace; an enumeration's names go into a file next to the session."""
    names = value_names(signal.how)
    if signal.has_names:
        yield _OWN_NAMES
    elif names is not None:
        table = folder / f"{signal.how}.names"
        digits = (signal.bits + 3) // 4
        table.write_text("".join(f"{value:0{digits}x} {name}\n" for name, value in names.items()))
        yield from (_NAMED, f"^1 ./{table.name}")
    else:
        yield _BIT if signal.bits == 1 else _DEC if signal.how == "dec" else _HEX
    yield f"+{{{signal.alias}}} {signal.gtkw_name}"
