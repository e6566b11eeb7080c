from pathlib import Path

import numpy as np
import pytest

from tb import eventlog
from tb.events import records as ev
from tb.events.log import EventLog
from tb.events.records import Kind

SIZES = {"ENTRIES": 1024, "LANES": 4, "PORTS": 1, "BLOCK_TOKENS": 16}


def record(cycle: int, kind: int, *words: int) -> list[int]:
    return [cycle, kind, *words, *[0] * (14 - len(words))]


def log(path: Path, *records: list[int]) -> Path:
    out = EventLog(path, SIZES)
    out.add(ev.STREAM_MAIN, np.array(records, dtype=np.uint64))
    out.close()
    return path


RESET = record(8, Kind.Reset, 1)
STEP = record(20, Kind.Step, 7)


def test_equal_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = log(tmp_path / "a", RESET, STEP), log(tmp_path / "b", RESET, STEP)
    assert eventlog.main(["compare", str(one), str(other)]) == 0
    assert "2 records, all equal" in capsys.readouterr().out


@pytest.mark.parametrize("other", [[RESET, record(20, Kind.Step, 8)], [RESET], [RESET, STEP, STEP]])
def test_first_divergence(tmp_path: Path, capsys: pytest.CaptureFixture[str], other: list[list[int]]) -> None:
    one = log(tmp_path / "a", RESET, STEP)
    assert eventlog.main(["compare", str(one), str(log(tmp_path / "b", *other))]) == 1
    assert "the runs differ from here" in capsys.readouterr().out


def test_replay_finds_a_scan_without_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = log(tmp_path / "a", RESET, STEP)
    assert eventlog.main(["replay", str(good)]) == 0
    bad = log(tmp_path / "b", RESET, record(30, Kind.ScanBegin))
    assert eventlog.main(["replay", str(bad)]) == 1
    assert "expected after a STEP_ADVANCE only, seen none due" in capsys.readouterr().err


def test_show_one_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eventlog.main(["show", str(log(tmp_path / "a", RESET, STEP)), "--kind", "Step"]) == 0
    assert capsys.readouterr().out == "cycle 20 Step head 0x5 0x7\n"


def test_no_log_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eventlog.main(["show", str(tmp_path / "none")]) == 1
    assert "there is no event log" in capsys.readouterr().err


def test_sv_enums_are_read() -> None:
    assert Kind.Reset == 0
    assert ev.Op.Lookup == 1
    with pytest.raises(LookupError, match="no enum `nothing_e`"):
        ev.sv_enum("rtl/kvcpu_pkg.sv", "nothing_e")
