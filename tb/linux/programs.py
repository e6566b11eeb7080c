"""What runs in the guest, compiled when its sources have changed: driver, init with the tests, other programs."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from tb.linux.kernel import Kernel
from tb.run.errors import CheckError
from tb.run.paths import ROOT, SIM_BUILD, shown
from tb.run.process import clean_env, run

DRIVER = ROOT / "sw" / "linux"
TESTS = Path(__file__).with_name("guest")
DEADLINE = Path(__file__).with_name("deadline")
PLAIN = tuple(ROOT / "sw" / "uapi" / "examples" / f"{name}.c" for name in ("smoke", "kvctl"))
"""They know the published interface only."""
KSELFTEST = Path("tools/testing/selftests/vm/madv_kv.c")  # from a patch of the kernel
OUTPUT = SIM_BUILD / "kernel"
MODULE = "kv_cpu.ko"
LIMIT_S = 600.0
_NOT_FOR_THIS = (
    "LINUX_VERSION_CODE",  # a driver out of the tree has to ask for the version,
    "CONSTANT_COMPARISON",  # and compares it with a macro that looks like a constant
    "COMPLEX_MACRO",  # macros that declare attributes, a register field a line
    "MULTISTATEMENT_MACRO_USE_DO_WHILE",
    "TRAILING_SEMICOLON",
)
"""Remarks of checkpatch that are not meant for such code."""
_NOT_A_FAULT = ("Module.symvers is missing", "undefined!", "suppressed", "may not have", "may get many")


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _name(path: Path) -> str:
    """Of a file in a digest; a kernel's source may be shared by several checkouts."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def _digest(paths: Iterable[Path], *settings: str) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    for path in paths:
        digest.update(hashlib.sha256(_name(path).encode() + b"\0" + path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _fresh(folder: Path, digest: str) -> bool:
    stamp = folder / "stamp"
    return stamp.exists() and stamp.read_text() == digest


def _step(command: Sequence[str], folder: Path) -> str:
    log = folder / "build.log"
    ended = run(command, env=clean_env(), cwd=folder, log=log, timeout_s=LIMIT_S)
    text = log.read_text(errors="replace")
    if ended.status:
        fault = next((line for line in text.splitlines() if "error" in line), "no message")
        raise CheckError(f"{fault.strip()} (log: {shown(log)})")
    return text


def module(kernel: Kernel) -> Path:
    """The driver for a kernel. Raises CheckError: it does not compile, or not without a warning."""
    folder = OUTPUT / "module"
    sources = _sources(DRIVER)
    digest = _digest(sources, str(kernel.folder), f"sparse {_has_sparse()}")
    if not _fresh(folder, digest):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(DRIVER, folder)
        check_style(kernel, folder)
        if warnings := build_module(kernel, folder):
            raise CheckError(f"driver: {warnings[0]} (log: {shown(folder / 'build.log')})")
        (folder / "stamp").write_text(digest)
    return folder / MODULE


def _has_sparse() -> bool:
    return shutil.which("sparse") is not None


def build_module(kernel: Kernel, folder: Path) -> list[str]:
    """Compile the driver's sources in `folder`, at W=1 and, where it is installed, under sparse; the warnings.

    Raises CheckError: that does not work.
    """
    make = ["make", "-C", str(kernel.build), "ARCH=um", f"M={folder}", "W=1", "KV_GCOV=1"]
    return compiler_warnings(_step([*make, *(["C=1", "CHECK=sparse"] if _has_sparse() else []), "modules"], folder))


def check_style(kernel: Kernel, folder: Path) -> None:
    """checkpatch of the kernel's own source over the driver and the patches. Raises CheckError: a remark."""
    checkpatch = ["perl", str(kernel.source / "scripts" / "checkpatch.pl"), "--no-tree", "--no-summary", "--terse",
                  "--ignore", ",".join(_NOT_FOR_THIS)]  # fmt: skip
    sources = [path for path in _sources(folder) if path.suffix in (".c", ".h")]
    patches = [path for path in _sources(folder) if path.suffix == ".patch"]
    for files in (["-f", *map(str, sources)], *([["--no-signoff", *map(str, patches)]] if patches else [])):
        log = folder / "checkpatch.log"
        ended = run([*checkpatch, *files], env=clean_env(), cwd=folder, log=log, timeout_s=LIMIT_S)
        if ended.status:
            remark = next(iter(log.read_text(errors="replace").splitlines()), "no message")
            raise CheckError(f"checkpatch: {remark.removeprefix(f'{folder}/')} (log: {shown(log)})")


def compiler_warnings(text: str) -> list[str]:
    """Warnings in what the kernel's build says; symbols of a kernel without Module.symvers are no fault."""
    return [
        line.strip()
        for line in text.splitlines()
        if "warning:" in line.lower() and not any(known in line for known in _NOT_A_FAULT)
    ]


def _compile(target: Path, sources: Sequence[Path], depends: Sequence[Path], options: Sequence[str]) -> Path:
    folder = OUTPUT / target.name
    digest = _digest(depends, *options)
    if not _fresh(folder, digest):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _step(["gcc", *options, "-o", str(folder / target.name), *map(str, sources)], folder)
        os.chmod(folder / target.name, 0o755)
        (folder / "stamp").write_text(digest)
    return folder / target.name


def init() -> Path:
    """Init with the tests, a static program. Raises CheckError: it does not compile."""
    headers = DRIVER / "include" / "uapi"
    options = ["-std=gnu11", "-O2", "-g", "-static", "-Wall", "-Wextra", "-Werror", f"-I{headers}"]
    return _compile(Path("init"), sorted(TESTS.glob("*.c")), [*_sources(TESTS), *_sources(headers)], options)


def deadline_init() -> Path:
    """Init of the guest that runs task sets. Raises CheckError: it does not compile."""
    source = DEADLINE / "deadline.c"
    return _compile(
        Path("deadline"), [source], [source], ["-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror"]
    )


def burner(kernel: Kernel) -> Path:
    """The module that takes processor time. Raises CheckError: it does not compile, or not without a warning."""
    folder = OUTPUT / "burn"
    digest = _digest(_sources(DEADLINE / "burn"), str(kernel.folder))
    if not _fresh(folder, digest):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(DEADLINE / "burn", folder)
        check_style(kernel, folder)
        if warnings := build_module(kernel, folder):
            raise CheckError(f"kv_burn: {warnings[0]} (log: {shown(folder / 'build.log')})")
        (folder / "stamp").write_text(digest)
    return folder / "kv_burn.ko"


def others(kernel: Kernel) -> Path:
    """The folder of the programs that the tests call, each in a folder of its name. Raises CheckError: one does not
    compile."""
    for source in (*PLAIN, kernel.source / KSELFTEST):
        _compile(Path(source.stem), [source], [source], ["-std=gnu11", "-O2", "-static"])
    return OUTPUT
