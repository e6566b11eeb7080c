"""Rows of wall time are not measured while others take the processors; ratios are of processor time (A9)."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb.figures import cli, load, software
from tb.figures.load import Others, refusal
from tb.figures.measure import Figure, Found, Settings, Workshop
from tb.figures.rows import BY_NAME
from tb.run.build import BuildSpec

BURN = "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass"


def shop(said: list[str]) -> Workshop:
    return Workshop(Settings(frozenset(BY_NAME)), said.append)


def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, others_s: float) -> None:
    """A machine on which others have used `others_s` seconds of processor time since `Others` was made."""
    stat = tmp_path / "stat"
    monkeypatch.setattr(load, "STAT", stat)
    stat.write_text("cpu  100 0 0 5000 7 0 0 0 0 0\ncpu0 ...\n")
    real = Others.cores

    def cores(self: Others) -> float:
        used = others_s + load._own_s() - self._own
        stat.write_text(f"cpu  {100 + round(used * 100)} 0 0 9999 99 0 0 0 0 0\n")
        return real(self)

    monkeypatch.setattr(Others, "cores", cores)


def test_a9_own_children_are_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, tmp_path, 0.0)
    others = Others()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert others.cores() == pytest.approx(0, abs=0.1)


def test_a9_others_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, tmp_path, 0.5)
    others = Others()
    time.sleep(0.5)
    assert 0.6 < others.cores() <= 1.1
    assert refusal(1.04).startswith("the machine is loaded: other processes keep 1.0 of ")
    assert refusal(0.2) == ""


def test_a9_scaling_is_refused_on_a_loaded_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "now", lambda: 1.5)
    for name in ("build", "leg"):
        monkeypatch.setattr(Workshop, name, lambda *_args, **_fields: pytest.fail("measured all the same"))
    monkeypatch.setattr(software, "run_legs", lambda *_args, **_fields: pytest.fail("measured all the same"))
    said: list[str] = []
    figure = software.scaling(shop(said)).figures["regress_scaling"]
    assert (figure.value, figure.failed) == (None, False)
    (line,) = said
    assert "regress_scaling is not measured: the machine is loaded: other processes keep 1.5 of" in line


@pytest.mark.parametrize(("seconds", "cores", "value"), [(2.0, 2.0, 2.0), (5.0, 2.0, None), (5.0, 0.0, 5.0)])
def test_a9_startup_misses_its_target_on_an_idle_machine_only(
    monkeypatch: pytest.MonkeyPatch, seconds: float, cores: float, value: float | None
) -> None:
    def built(_shop: Workshop, _spec: BuildSpec) -> None:
        return None

    monkeypatch.setattr(software.Workshop, "build", built)
    monkeypatch.setattr(software, "_start", lambda: seconds)
    monkeypatch.setattr(Others, "cores", lambda _self: cores)
    assert software.startup(shop([])).figures["startup"].value == value


def test_a9_nothing_measured_is_no_success(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Found({"regress_scaling": Figure(None, "not measured: the machine is loaded")})
    parts = {part: lambda _shop: refused for part in cli.PARTS}
    monkeypatch.setattr(cli, "_parts", lambda: parts)
    assert cli.main(["--report", str(tmp_path), "--rows", "regress_scaling"]) == 2
    assert capsys.readouterr().err == "error: nothing was measured: the machine is loaded\n"
