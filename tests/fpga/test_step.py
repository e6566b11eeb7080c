"""A kept result is used again as it was made, or made again with a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fpga.flow import step


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], step.Result]:
    monkeypatch.setattr(step, "FPGA_BUILD", tmp_path)

    def produce(folder: Path) -> dict[str, int]:
        (folder / "netlist.json").write_text('{"cells": 3}')
        return {"cells": 3}

    return lambda: step.kept("synth", "abc", produce)


def test_a_result_is_made_once(made: Callable[[], step.Result]) -> None:
    assert [made().cached, made().cached] == [False, True]
    assert made().facts == {"cells": 3}


@pytest.mark.parametrize("name", ["netlist.json", "facts.json", "digests.json"])
@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text('{"cells"')])
def test_d1_a_damaged_result_is_made_again(
    made: Callable[[], step.Result], capsys: pytest.CaptureFixture[str], name: str, change: Callable[[Path], None]
) -> None:
    change(made().folder / name)
    again = made()
    assert not again.cached
    assert again.facts == {"cells": 3}
    assert (again.folder / "netlist.json").read_text() == '{"cells": 3}'
    assert f"synth: the kept result is damaged ({name} is " in capsys.readouterr().out
    assert made().cached


def test_nothing_is_kept_of_a_step_that_fails(made: Callable[[], step.Result]) -> None:
    def fail(_folder: Path) -> dict[str, int]:
        raise ValueError("no tool")

    with pytest.raises(ValueError, match="no tool"):
        step.kept("synth", "def", fail)
    assert not [path for path in (step.FPGA_BUILD / "synth").iterdir() if path.is_dir()]
