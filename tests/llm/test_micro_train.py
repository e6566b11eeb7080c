"""Training: the text of a commit, the optimiser, and that the program learns and repeats itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sw.llm.micro import corpus, tokenizer, train
from sw.llm.micro.model import ModelConfig, Transformer
from sw.llm.micro.weights import seeded

TINY = ModelConfig(context=16, vocabulary=257, layers=1, heads=2, kv_heads=1, head_dim=32, hidden=32)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose documentation has 40 sections; the working tree is not what was committed."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine: training reads the text of a commit")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "sub").mkdir()
    sections = "".join(f"# Part {n}\nThe device moves block {n} of the cache.\n" for n in range(39))
    (tmp_path / "docs" / "b.md").write_text(sections)
    (tmp_path / "README.md").write_text("# Read me\nFirst of all.\n")
    (tmp_path / "docs" / "figures.txt").write_text("not read")
    (tmp_path / "docs" / "sub" / "c.md").write_text("not read")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "all")
    (tmp_path / "README.md").write_text("changed since")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    user = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", str(folder), *arguments], env=user, check=True)


def test_a0_no_git_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(corpus.CorpusError, match=r"^git cannot be run: No such file or directory$"):
        corpus.load(tmp_path, "HEAD")


def test_corpus_is_the_text_of_a_commit(repository: Path) -> None:
    text = corpus.load(repository, "HEAD")
    assert text.files == ("README.md", "docs/b.md")
    assert len(text.digest) == 64
    learned, held_out = text.learned.tolist(), text.held_out.tolist()
    assert learned[:11] == [tokenizer.END, *b"# Read me\n"]
    assert learned[-1] == held_out[-1] == tokenizer.END
    assert learned.count(tokenizer.END) == 38 + 1
    assert held_out.count(tokenizer.END) == 2 + 1
    assert tokenizer.decode(held_out) == b"".join(
        b"# Part %d\nThe device moves block %d of the cache.\n" % (n, n) for n in (18, 38)
    )


@pytest.mark.parametrize(
    ("revision", "message"),
    [("nowhere", "git ls-tree: fatal: Not a valid object name nowhere"), ("HEAD:docs", "has no")],
)
def test_corpus_that_is_not_there(repository: Path, revision: str, message: str) -> None:
    with pytest.raises(corpus.CorpusError, match=message):
        corpus.load(repository, revision)


def test_rate_rises_and_falls() -> None:
    schedule = train.Schedule(100, rate=1.0)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(a >= b for a, b in pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


def test_adam_by_hand() -> None:
    # first step: both means are their bias corrected gradients, so a number moves by the rate against its sign
    tensors = {"gain": np.array([1.0, 1.0, 1.0]), "matrix": np.array([[2.0]])}
    optimizer = train.AdamW(tensors, train.Schedule(1, rate=0.5, decay=0.1, clip=100))
    optimizer.update(tensors, {"gain": np.array([3.0, -4.0, 0.0]), "matrix": np.array([[5.0]])})
    assert tensors["gain"] == pytest.approx([0.5, 1.5, 1.0])
    assert tensors["matrix"] == pytest.approx(np.array([[2 * 0.95 - 0.5]]))


def test_training_learns_and_repeats_itself(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "CONFIG", TINY)
    monkeypatch.setattr(train, "WINDOW", 16)
    text = corpus.load(repository, "HEAD")
    before = train.loss_of(seeded(TINY, 3), text.held_out)
    first, second = (train.train(text, train.Schedule(60, batch=8), 3) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    after = train.loss_of(first, text.held_out)
    assert before == pytest.approx(np.log(257), abs=0.1)
    assert after < 3
    Transformer(TINY, first)


def test_the_program(repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(train, "CONFIG", TINY)
    monkeypatch.setattr(train, "WINDOW", 16)
    monkeypatch.setattr(train, "__file__", str(repository / "sw" / "llm" / "micro" / "train.py"))
    output = repository / "weights.npz"
    assert train.main([str(output), "--revision", "HEAD", "--steps", "2"]) == 0
    with np.load(output) as archive:
        assert {name: archive[name].shape for name in archive.files} == TINY.shapes()
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("2 files, SHA-256 ")
    assert shown[2].startswith("step     2  loss ")
    assert train.main([str(output), "--revision", "nowhere", "--steps", "2"]) == 2
    assert capsys.readouterr().err == "train: git ls-tree: fatal: Not a valid object name nowhere\n"
    assert train.main([str(repository / "no" / "folder.npz"), "--revision", "HEAD", "--steps", "1"]) == 2
    assert capsys.readouterr().err.endswith("folder.npz: No such file or directory\n")


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--steps", "1", "--seed", "-1"], []])
def test_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train.main(["out.npz", "--revision", "HEAD", *arguments])
    assert caught.value.code == 2
