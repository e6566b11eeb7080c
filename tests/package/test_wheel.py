from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tb.run.paths import ROOT

SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "packaging", "sw", "model", "docs/schemas")


def _namespaced() -> ModuleType:
    spec = importlib.util.spec_from_file_location("namespaced", ROOT / "packaging" / "namespaced.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(command: list[str], cwd: Path, **env: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    ended = subprocess.run(command, cwd=cwd, env=clean | env, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a copy of the checkout was installed."""
    copy, target = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps"]
    _run([*pip, "--no-build-isolation", "--no-index", "--target", str(target), str(copy)], copy)
    return target


def test_only_kvcpu_is_at_the_top(installed: Path) -> None:
    top = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"kvcpu", "bin"}


def test_the_model_answers_the_driver(installed: Path) -> None:
    program = (
        "import kvcpu; transport = kvcpu.ModelTransport(kvcpu.DeviceModel(entries=1024, lanes=4));"
        "driver = kvcpu.Sync(kvcpu.run(kvcpu.Driver.probe(transport)));"
        "print(kvcpu.__version__, kvcpu.__file__)"
    )
    said = _run([sys.executable, "-P", "-c", program], installed, PYTHONPATH=str(installed))
    assert str(installed) in said


@pytest.mark.parametrize("tool", ["det", "graphctl", "kvctl", "kvsh", "llmctl", "llminfer", "llmstats", "kvcpu-serve"])
def test_every_tool_starts(installed: Path, tool: str) -> None:
    said = _run([sys.executable, str(installed / "bin" / tool), "--help"], installed, PYTHONPATH=str(installed))
    assert said.startswith(f"usage: {tool}")


def test_imports_are_moved() -> None:
    text = 'from sw.run import run\nimport model.device\nfrom sw import regs\nrun("python -m sw.audit")\nx = model\n'
    assert _namespaced().rewritten(text) == (
        "from kvcpu.sw.run import run\nimport kvcpu.model.device\nfrom kvcpu.sw import regs\n"
        'run("python -m kvcpu.sw.audit")\nx = model\n'
    )


def test_an_import_that_cannot_be_moved_is_named() -> None:
    assert _namespaced().old_imports("def f():\n    import os, sw\n    from model.a import b\n") == ["sw", "model.a"]
