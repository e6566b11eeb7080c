"""The guest's kernel: built once from Debian's source package, and kept by the content of all that goes into it."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb.run.errors import CheckError
from tb.run.paths import CACHE, ROOT, shown
from tb.run.process import clean_env, run
from tb.run.tools import KERNEL_SOURCE, require_kernel_packages

CONFIG = Path(__file__).with_name("kernel.config")
KASAN_CONFIG = Path(__file__).with_name("kasan.config")
PATCHES = ROOT / "sw" / "linux" / "patches"
STORE = CACHE / "kernel"
UNUSED = (
    "Documentation",
    "drivers/gpu",
    "drivers/infiniband",
    "drivers/media",
    "drivers/net/ethernet",
    "drivers/net/wireless",
    "drivers/staging",
    "fs/btrfs",
    "fs/ext4",
    "fs/xfs",
    "net/netfilter",
    "sound",
    "tools/perf",
    "tools/testing",
)
LEFT_OUT = tuple(f"*/{name}/*.{kind}" for name in UNUSED for kind in ("c", "rst"))
"""What is not unpacked: C files of UNUSED; headers, Kconfig and Makefiles of all folders are needed."""
BUILD_LIMIT_S = 3600.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Kernel:
    """A kernel that was built.

    Attributes:
        folder: its place in the cache.
        version: such as "6.1.192".
    """

    folder: Path
    version: str

    @property
    def source(self) -> Path:
        """Its source, with the project's patches."""
        return self.folder / "source"

    @property
    def program(self) -> Path:
        """The kernel as a program of the host."""
        return self.folder / "build" / "linux"

    @property
    def build(self) -> Path:
        """What modules are built against."""
        return self.folder / "build"


def _patches() -> list[Path]:
    return sorted(PATCHES.glob("*.patch"))


def _wanted(kasan: bool) -> str:
    """What the kernel has beyond `allnoconfig`; with KASAN, the kernel's address sanitizer, as well."""
    return CONFIG.read_text() + (KASAN_CONFIG.read_text() if kasan else "")


def _digest(kasan: bool) -> str:
    digest = hashlib.sha256()
    with KERNEL_SOURCE.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    compiler = subprocess.run(["gcc", "--version"], capture_output=True, check=True, env=clean_env()).stdout
    patches = (path.read_bytes() for path in _patches())
    place = str(STORE.resolve()).encode()  # the build has absolute paths in it
    for part in (_wanted(kasan).encode(), compiler, place, Path(__file__).read_bytes(), *patches):
        digest.update(hashlib.sha256(part).digest())
    return f"{'kasan' if kasan else 'kernel'}-{digest.hexdigest()[:16]}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def kernel(say: Say, *, kasan: bool = False) -> Kernel:
    """The kernel, built now or before; with `kasan` a variant of its own.

    Raises UsageError: packages are missing; CheckError: it does not build.
    """
    require_kernel_packages()
    folder = STORE.resolve() / _digest(kasan)
    done = folder / "version"
    with _locked(STORE / f"{folder.name}.lock"):
        if not done.exists():
            say("building the test kernel, once: about 5 minutes of processor time")
            shutil.rmtree(folder, ignore_errors=True)
            _unpack(folder)
            _build(folder, _wanted(kasan))
            done.write_text((folder / "build/include/config/kernel.release").read_text().strip())
            _forget_others(folder)
    return Kernel(folder, done.read_text())


def _unpack(folder: Path) -> None:
    source = folder / "source"
    source.mkdir(parents=True)
    left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    _step(folder, ["tar", "xJf", str(KERNEL_SOURCE), "-C", str(source), "--strip-components=1", *left_out])
    for patch in _patches():
        _step(folder, ["patch", "-p1", "-d", str(source), "-i", str(patch)])


def _build(folder: Path, wanted: str) -> None:
    build = folder / "build"
    build.mkdir()
    make = ["make", "-C", str(folder / "source"), "ARCH=um", f"O={build}"]
    _step(folder, [*make, "allnoconfig"])
    with (build / ".config").open("a") as config:
        config.write(wanted)
    _step(folder, [*make, "olddefconfig"])  # adds what the wanted options select: lockdep needs SRCU to compile
    refused = unset(wanted, (build / ".config").read_text())
    if refused:
        raise CheckError(f"kernel configuration: {', '.join(refused)} did not take effect ({shown(CONFIG)})")
    _step(folder, [*make, "-j1", "linux", "modules_prepare"])


def unset(wanted: str, given: str) -> list[str]:
    """Options of a wanted configuration that the one given does not have."""
    have = set(given.splitlines())
    return [line for line in wanted.splitlines() if line.startswith("CONFIG_") and line not in have]


def _step(folder: Path, command: list[str]) -> None:
    log = folder / "build.log"
    ended = run(command, env=clean_env({"KBUILD_BUILD_TIMESTAMP": "@0", "KBUILD_BUILD_USER": "kvcpu",
                                        "KBUILD_BUILD_HOST": "kvcpu"}),
                cwd=folder, log=log, timeout_s=BUILD_LIMIT_S)  # fmt: skip
    if ended.status:
        last = next((line for line in reversed(log.read_text(errors="replace").splitlines()) if "rror" in line), "")
        raise CheckError(f"{command[0]} ended with status {ended.status}: {last or 'no message'} (log: {shown(log)})")


def _forget_others(folder: Path) -> None:
    """Kernels of the same variant that were built from something else take 1 GB each."""
    variant = folder.name.partition("-")[0]
    for other in folder.parent.glob(f"{variant}-*"):
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)
