"""`make lock`: renew the hashed locks from the *.in files, with uv in a throw-away environment."""

import subprocess
import sys
import tempfile

from tb.run.paths import ROOT

UV = "uv==0.13.9"


def main() -> int:
    """Compile requirements/*.in to *.txt for every Python from 3.11 on, all platforms."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", UV], check=True)
        for name in ("dev", "fpga", "docs"):
            options = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate"]
            options += ["--no-config", "--default-index", "https://pypi.org/simple"]
            options += ["--custom-compile-command", "make lock", "-o", f"requirements/{name}.txt"]
            subprocess.run(
                [f"{folder}/bin/uv", "pip", "compile", *options, f"requirements/{name}.in"], cwd=ROOT, check=True
            )
            print(f"lock: requirements/{name}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
