"""`python -m sw.uapi`: the C side of the published interface.

`generate` writes the headers (with `--check` it only compares them), `build` compiles the library and the preload
shim. Exit status: 0 done, 1 a file is stale or does not compile, 2 wrong use or no C compiler.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sw.regs.generated import ROOT, update
from sw.terminal import command_line, complain, visible
from sw.uapi.build import OUTPUT, BuildError, NoCompiler, build
from sw.uapi.cheader import emit_event_table, emit_uapi, emit_wire
from sw.uapi.kernel import emit_linux_registers, emit_linux_uapi

_GUIDE = Path("docs/tools.md")
_BEGIN, _END = "<!-- generated: the record -->\n", "<!-- end -->\n"


def outputs() -> dict[Path, str]:
    """Every generated file, relative to the project, with the text it must have."""
    guide = (ROOT / _GUIDE).read_text()
    before, begin, rest = guide.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    return {
        Path("sw/include/kvcpu_uapi.h"): emit_uapi(),
        Path("sw/uapi/wire.h"): emit_wire(),
        Path("sw/linux/include/uapi/linux/kvcpu.h"): emit_linux_uapi(),
        Path("sw/linux/kv_regs.h"): emit_linux_registers(),
        _GUIDE: f"{before}{begin}{emit_event_table()}{end}{after}",
    }


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sw.uapi", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("generate", help="write the C headers")
    generate.add_argument("--check", action="store_true", help="write nothing; name stale files")
    generate.add_argument("--root", type=Path, default=ROOT, help="project root")
    compile_ = commands.add_parser("build", help="compile library and preload shim")
    compile_.add_argument("--output", type=Path, default=OUTPUT, help="folder of the libraries")
    compile_.add_argument("--cc", help="C compiler instead of cc, gcc, clang or the C++ compiler")
    options = parser.parse_args(arguments)
    if options.command == "generate":
        return update(options.root, outputs(), "uapi", check=options.check)
    try:
        built = build(options.output, options.cc)
    except NoCompiler as error:
        complain(f"error: {error}")
        return 2
    except BuildError as error:
        complain(f"error: {error}")
        return 1
    for path in (built.library, built.preload):
        print(visible(str(path)))
    return 0


if __name__ == "__main__":
    sys.exit(command_line(main))
