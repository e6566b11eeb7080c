"""Programs that use the device node from outside; the same list runs against the RTL and the device model."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sw.uapi.build import INCLUDE, build, find_compiler
from sw.uapi.place import VARIABLE
from tb.run.paths import ROOT, VENV
from tb.run.process import clean_env

PROGRAMS = ROOT / "sw" / "uapi" / "examples"
LIMIT_S = 600.0
TIMES = re.compile(r"_ns\"|cycles|device time")  # of lines whose figures are the device's own
FCNTL = """
import fcntl, struct
node = open("/dev/kvcpu0", "rb", buffering=0)
fcntl.ioctl(node, 0x40084B01, struct.pack("<Q", 42))
seen = struct.unpack("<9Q6I", fcntl.ioctl(node, 0x80604B07, bytes(96)))
print("fcntl:", seen[:6])
"""


SCRIPT = """
kvctl info --json
kvctl step 43 --json
kvctl insert --kv 7:0:0:16 --tier 1
kvctl hot --kv 7:0:0:16
kvctl explain --kv 7:0:0:16 --json
kvctl migrate --kv 7:0:0:16 --tier 2
kvctl run 50000
kvctl lookup --kv 7:0:0:20
kvctl free 7
kvctl weights --json
llmctl load
llminfer "What does the device do?" --max-tokens 12
llminfer "What does the device do?" --max-tokens 12 --temperature 0.9 --seed 5 --stream
llmctl load --model 1
"""
"""Tools, one after the other; the last command is refused (Exists). Lines that tell times are left out below."""


@dataclass(frozen=True)
class Client:
    """One program: a C source, or arguments for Python.

    Attributes:
        name: for messages.
        expected: what it prints, and exit status 0; None: whatever it does against the device model.
        source: C source; "": it is Python.
        python: arguments for Python.
        script: its stdin.
        shim: it runs with the preload shim; else a C program is linked with libkvcpu.
    """

    name: str
    expected: str | None
    source: str = ""
    python: tuple[str, ...] = ()
    script: str = ""
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
        """Run it to its end against the node at `socket`: (exit status, what it printed but for times)."""
        extra = {VARIABLE: str(socket), "PYTHONPATH": str(ROOT)}
        if self.shim:
            extra["LD_PRELOAD"] = str(build().preload)
        ended = subprocess.run(
            self.command(folder),
            env=clean_env(extra),
            input=self.script,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        lines = ended.stdout.splitlines(keepends=True)
        return ended.returncode, "".join(line for line in lines if not TIMES.search(line))


SMOKE = Client("C program through the shim", "smoke: all good\n", source="smoke.c")
LIBRARY = Client("C program with libkvcpu", "library: all good\n", source="library.c", shim=False)
FCNTL_CLIENT = Client("fcntl.ioctl through the shim", "fcntl: (42, 1, 0, 0, 0, 0)\n", python=("-c", FCNTL))
TOOLS = Client("kvctl and the LLM tools", None, python=("-m", "sw.tools.kvsh"), script=SCRIPT, shim=False)
SESSION = Client("the session of docs/tools.md", None, python=("-m", "tb.serve.sessions"), shim=False)
CLIENTS = (SMOKE, LIBRARY, FCNTL_CLIENT, TOOLS, SESSION)
