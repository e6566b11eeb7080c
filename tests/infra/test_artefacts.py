"""Files are written whole or not at all, one run's files are seen together, damage is noticed."""

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tb.run import artefacts
from tb.run.artefacts import Damaged, published, read_record, write_record, write_whole
from tb.run.errors import UsageError


def publish(folder: Path, run: str, *names: str) -> None:
    with published(folder, "sim") as staged:
        for name in names:
            (staged / name).write_text(run)


def seen(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_d2_files_of_a_run_replace_those_of_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "sim.json").write_text("before links")
    (tmp_path / "sim.csv").write_text("before links")
    publish(tmp_path, "1", "sim.json", "sim.html")
    assert seen(tmp_path) == {"sim.json": "1", "sim.html": "1"}
    publish(tmp_path, "2", "sim.json")
    assert seen(tmp_path) == {"sim.json": "2"}
    for number in range(3, 8):
        publish(tmp_path, str(number), "sim.json", "sim.html")
    assert seen(tmp_path) == {"sim.json": "7", "sim.html": "7"}
    assert len(list((tmp_path / "runs" / "sim").glob("[0-9]*"))) == artefacts.RUNS_KEPT


def test_d2_a_run_that_fails_while_it_reports_changes_nothing(tmp_path: Path) -> None:
    publish(tmp_path, "1", "sim.json", "sim.html")
    with pytest.raises(FileNotFoundError), published(tmp_path, "sim") as staged:
        (staged / "sim.json").write_text((staged / "missing").read_text())
    assert seen(tmp_path) == {"sim.json": "1", "sim.html": "1"}
    assert not list((tmp_path / "runs" / "sim").glob("work-*"))


CALLS = ("rename", "replace", "fsync", "symlink", "mkdir")


@pytest.mark.parametrize("at", range(14))
def test_d2_a_full_disk_at_any_point_leaves_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The n-th call that needs space fails: what is there then is all of one run."""
    publish(tmp_path, "1", "sim.json", "sim.html")
    left = [at]

    def limited(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **options)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, limited(getattr(os, name)))
    failed = False
    try:
        publish(tmp_path, "2", "sim.json", "sim.html", "new.html")
    except UsageError as error:
        failed = "the report was not written (No space left on device" in str(error)
    monkeypatch.undo()
    files = seen(tmp_path)
    assert set(files.values()) == {"1" if failed else "2"}
    assert {"sim.json", "sim.html"} <= files.keys()
    publish(tmp_path, "3", "sim.json")
    assert seen(tmp_path) == {"sim.json": "3"}


def test_d2_two_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    over = threading.Event()
    mixed: list[dict[str, str]] = []

    def write(run: str) -> None:
        for number in range(30):
            publish(tmp_path, f"{run}{number}", "sim.json", "sim.html")

    def read() -> None:
        runs = tmp_path / "runs" / "sim" / "current"
        while not over.is_set():
            try:
                found = seen(runs.resolve())
            except FileNotFoundError:  # three runs later this one is forgotten
                continue
            if len(set(found.values())) > 1:
                mixed.append(found)

    publish(tmp_path, "first", "sim.json", "sim.html")
    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert mixed == []
    assert len(set(seen(tmp_path).values())) == 1


def test_write_whole_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"digest": "0", "value": []}', '{"digest"'])
def test_a_record_is_read_only_as_it_was_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    write_record(path, [{"a": "b"}])
    assert read_record(path) == [{"a": "b"}]
    assert json.loads(path.read_text())["value"] == [{"a": "b"}]
    path.write_text(text)
    with pytest.raises(Damaged, match=r"record\.json is not as it was written"):
        read_record(path)
