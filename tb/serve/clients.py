"""Programs that use the device node from outside; the same list runs against the RTL and the device model."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from sw.node.place import VARIABLE
from sw.uapi.build import INCLUDE, build, find_compiler
from tb.run.paths import ROOT, VENV
from tb.run.process import clean_env

PROGRAMS = Path(__file__).resolve().parent / "programs"
LIMIT_S = 600.0
FCNTL = """
import fcntl, struct
node = open("/dev/kvcpu0", "rb", buffering=0)
fcntl.ioctl(node, 0x40084B01, struct.pack("<Q", 42))
seen = struct.unpack("<9Q6I", fcntl.ioctl(node, 0x80604B07, bytes(96)))
print("fcntl:", seen[:6])
"""


@dataclass(frozen=True)
class Client:
    """One program: a C source, or arguments for Python; `shim`: it runs with the preload shim."""

    name: str
    expected: str
    source: str = ""
    python: tuple[str, ...] = ()
    shim: bool = True

    def command(self, folder: Path) -> list[str]:
        """What to run; a C program is compiled into `folder`. Raises NoCompiler, CalledProcessError."""
        if not self.source:
            return [str(VENV / "bin" / "python"), *self.python]
        libraries = build()
        program = folder / Path(self.source).stem
        options = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-D_GNU_SOURCE", "-O2", "-I", str(INCLUDE)]
        link = [] if self.shim else ["-L", str(libraries.library.parent), "-lkvcpu"]
        link += [f"-Wl,-rpath,{libraries.library.parent}"] if link else []
        command = [*find_compiler(), *options, str(PROGRAMS / self.source), "-o", str(program), *link]
        subprocess.run(command, check=True)
        return [str(program)]

    def run(self, socket: Path, folder: Path) -> tuple[int, str]:
        """Run it to its end against the node at `socket`: (exit status, what it printed)."""
        extra = {VARIABLE: str(socket), "PYTHONPATH": str(ROOT)}
        if self.shim:
            extra["LD_PRELOAD"] = str(build().preload)
        ended = subprocess.run(
            self.command(folder),
            env=clean_env(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return ended.returncode, ended.stdout


SMOKE = Client("C program through the shim", "smoke: all good\n", source="smoke.c")
LIBRARY = Client("C program with libkvcpu", "library: all good\n", source="library.c", shim=False)
FCNTL_CLIENT = Client("fcntl.ioctl through the shim", "fcntl: (42, 1, 0, 0, 0, 0)\n", python=("-c", FCNTL))
CLIENTS = (SMOKE, LIBRARY, FCNTL_CLIENT)
