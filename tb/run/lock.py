"""`make lock`: renew the hashed locks from the *.in files, with uv in a throw-away environment."""

import os
import subprocess
import sys
import tempfile

from tb.run.command import Parser, run_command, tell
from tb.run.errors import CheckError
from tb.run.paths import ROOT
from tb.run.setup_env import EXTRAS, OWN

UV = "uv==0.13.9"
WITHOUT_DEPENDENCIES = ("lab", "llama-source")  # of lab.in's packages, and those that llama.in has


def for_one_platform() -> list[str]:
    """vLLM is locked for what its wheels are made for; its torch comes from where pip looks for wheels."""
    options = ["--python-platform", "x86_64-manylinux_2_28", "--overrides", "requirements/vllm-without.in"]
    return options + [f"--find-links={place}" for place in os.environ.get("PIP_FIND_LINKS", "").split()]


def _do(*command: str) -> None:
    """One step, its output shown as it comes. Raises CheckError."""
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        raise CheckError(f"`{' '.join(command[:3])} ...` ended with status {status}: the locks are as they were")


def _lock(arguments: list[str]) -> int:
    """Compile requirements/*.in to *.txt for every Python from 3.11 on, all platforms."""
    Parser("python -m tb.run.lock", __doc__).parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        _do(sys.executable, "-m", "venv", folder)
        _do(f"{folder}/bin/pip", "install", "--quiet", UV)
        for name in ("dev", *EXTRAS, *(lock for locks in OWN.values() for lock in locks)):
            options = ["--quiet", "--python-version", "3.11", "--generate-hashes", "--no-annotate"]
            options += for_one_platform() if name == "vllm" else ["--universal"]
            options += ["--no-config", "--default-index", "https://pypi.org/simple"]
            options += ["--no-deps"] * (name in WITHOUT_DEPENDENCIES)
            options += ["--custom-compile-command", "make lock", "-o", f"requirements/{name}.txt"]
            _do(f"{folder}/bin/uv", "pip", "compile", *options, f"requirements/{name}.in")
            tell(f"lock: requirements/{name}.txt")
    return 0


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _lock(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
