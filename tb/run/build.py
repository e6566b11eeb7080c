"""Build a simulation binary with Verilator, cached by the content of everything that goes in.

Two keys. The *request* is what can be hashed before anything is read: flags, parameters, tool
versions, the names in the module directories. Verilator then says which files it read; their
contents make the *build* key. A later request compares those contents only, so an edit to a module
that a top does not use rebuilds nothing, and a changed include file always does.
"""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tb.run import artefacts, process, progress
from tb.run.artefacts import Damaged
from tb.run.errors import CheckError
from tb.run.objects import ObjectStore, prune
from tb.run.paths import CACHE, ROOT, SIM_MAIN, shown
from tb.run.sources import HDL_SUFFIXES, cpp_headers, digest, digest_text, expand, expand_folders, library_listing
from tb.run.tools import Compiler, Verilator, find_compiler, find_verilator, fst_available, require_programs

FORMAT = "7"  # part of every key: change it when the meaning of a cached build changes
OBJECT_FORMAT = "6"  # the same for compiled objects
KEPT_RECORDS = 8
KEPT_BUILDS = 150

# Waived everywhere: `disable iff (!rst_n)` in an assertion reads the asynchronous reset at the clock.
WAIVED = ["-Wno-SYNCASYNCNET"]

# The wheel's makefile was never configured: without these three nothing with --timing compiles.
WHEEL_MAKE_FLAGS = [
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_CXXFLAGS_COROUTINES=-fcoroutines",
    "CFG_CXXFLAGS_STD=-std=gnu++20",
]

# Slow code runs once at the start.
OPTIMISE = ["OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2"]
CFLAGS = ["-fno-plt"]
OBJECTS_LIMIT_BYTES = 1 << 30

# Every kind but FSM coverage, which `--coverage` includes: with it Verilator 5.048 ends with an internal error where an
# element of an array is assigned under a condition.
COVERAGE = ["--coverage-line", "--coverage-toggle", "--coverage-expr", "--coverage-user"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class BuildSpec:
    """What to build. Paths are relative to the project root; `parameters` go to the top module.

    `waves` makes a program that can write waves (the C++ takes about twice as long to compile);
    `coverage` counts lines, branches and toggles (about 15 times slower); `debug` opens every
    signal of the hierarchy to Python (two to three times slower). With `main` the program is that
    C++ file around the bare design: no Python, no VPI, no events in time.
    """

    name: str
    module: str
    sources: tuple[str, ...]
    libs: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    cpp: tuple[str, ...] = ()
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    waves: bool = False
    coverage: bool = False
    debug: bool = False
    main: str = ""
    verilator: str | None = None
    cxx: str | None = None
    root: Path = ROOT


@dataclass(frozen=True)
class Built:
    """A finished build: the program, the format of its waves ("fst", "vcd", "" for none), whether it was cached."""

    binary: Path
    waves: str
    cached: bool
    key: str


@dataclass(frozen=True)
class _Job:
    """A build with everything looked up that its request key depends on."""

    spec: BuildSpec
    verilator: Verilator
    compiler: Compiler
    sources: list[Path]
    libs: list[Path]
    includes: list[Path]
    cpp: list[Path]
    main: Path
    cpp_contents: Mapping[Path, str]
    waves: str
    request: str

    @property
    def root(self) -> Path:
        return self.spec.root


def _parameter(name: str, value: int | str) -> str:
    return f"-G{name}={value}" if isinstance(value, int) else f'-G{name}="{value}"'


def verilate_flags(spec: BuildSpec, waves: str) -> list[str]:
    """Verilator's options that do not name a file of this machine."""
    events = ["--no-timing"] if spec.main else ["--timing", "--vpi"]
    flags = ["--cc", "--exe", *events, "--assert", "-Wall", *WAIVED, "-O3", "--quiet-stats"]
    flags += ["--prefix", "Vtop", "-o", "Vtop", "--timescale", "1ns/1ps", "--default-language", "1800-2017"]
    flags += ["--x-assign", "unique", "--x-initial", "unique", "--output-split", "20000"]
    flags += [f"--trace-{waves}", "--trace-structs"] if waves else []
    if not spec.main:
        flags += ["--public-flat-rw"] if spec.debug else ["--no-public-flat-rw", "--public-depth", "1"]
    flags += COVERAGE if spec.coverage else []
    flags += ["--top-module", spec.module, *(_parameter(*item) for item in sorted(spec.parameters.items()))]
    return [*flags, *spec.flags]


def _prepare(spec: BuildSpec) -> _Job:
    require_programs()
    verilator = find_verilator(spec.verilator)
    compiler = find_compiler(spec.cxx)
    waves = ("fst" if fst_available(compiler) else "vcd") if spec.waves else ""
    sources = expand(spec.sources, spec.root)
    cpp = expand(spec.cpp, spec.root)
    libs, includes = expand_folders(spec.libs, spec.root), expand_folders(spec.includes, spec.root)
    main = expand([spec.main], spec.root)[0] if spec.main else SIM_MAIN
    cpp_contents = {path: digest(path) for path in [*cpp, *cpp_headers(cpp, includes), main]}
    request = digest_text(
        FORMAT,
        str(spec.root),
        str(verilator),
        str(compiler),
        *(f"{name}={os.environ.get(name, '')}" for name in ("CPATH", "LIBRARY_PATH")),
        *verilate_flags(spec, waves),
        *map(str, sources),
        "libs",
        *library_listing(libs),
        "includes",
        *map(str, includes),
        "cpp",
        *(f"{shown(path)}={content}" for path, content in cpp_contents.items()),
    )
    return _Job(spec, verilator, compiler, sources, libs, includes, cpp, main, cpp_contents, waves, request)


@contextmanager
def _locked(name: str, say: Say) -> Iterator[None]:
    """One builder of a request at a time; the second waits and then finds the first one's result."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as mutex:
        try:
            fcntl.flock(mutex, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("build: waiting for another process that builds the same")
            fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def _records(request: str) -> list[dict[str, str]]:
    """Inputs of the builds that this request has led to, the last one first. Raises Damaged."""
    try:
        return list(artefacts.read_record(CACHE / f"{request}.json"))
    except FileNotFoundError:
        return []


def _remember(request: str, inputs: dict[str, str]) -> None:
    records = [inputs, *(r for r in _records(request) if r != inputs)][:KEPT_RECORDS]
    artefacts.write_record(CACHE / f"{request}.json", records)


def _build_key(request: str, inputs: Mapping[str, str]) -> str:
    return digest_text(request, *(f"{path}={content}" for path, content in sorted(inputs.items())))


def _lookup(job: _Job) -> Built | None:
    """The cached build whose every input still has the content it was made from. Raises Damaged."""
    for inputs in _records(job.request):
        if all(digest(job.root / path) == content for path, content in inputs.items()):
            key = _build_key(job.request, inputs)
            if (CACHE / key).exists():
                artefacts.check(CACHE / key)
                os.utime(CACHE / key)
                return Built(CACHE / key / "Vtop", job.waves, True, key)
    return None


def _sound(job: _Job, say: Say) -> Built | None:
    """The cached build, after everything damaged on the way to it was removed."""
    while True:
        try:
            return _lookup(job)
        except Damaged as damage:
            say(f"build: the cached build of {job.spec.name} is damaged ({damage}): it is removed and built again")
            artefacts.evict(damage)


def _run_step(
    job: _Job, what: str, command: list[str], folder: Path, extra_env: Mapping[str, str] | None = None
) -> None:
    """One tool call of a build; raises CheckError with the tool's own first errors."""
    log = folder / f"{what}.log"
    ended = process.run(command, env=process.clean_env(extra_env), cwd=job.root, log=log)
    artefacts.require_space(folder)  # tools do not always notice
    if ended.status == 0:
        return
    kept = CACHE / f"failed-{job.spec.name}-{what}.log"
    shutil.copy(log, kept)
    lines = log.read_text(errors="replace").splitlines()
    errors = [
        line
        for line in lines
        if "%Error" in line or "%Warning" in line or " error:" in line or "undefined reference" in line
    ]
    picked = errors[:8] or lines[-8:]
    raise CheckError("\n".join([f"build of `{job.spec.name}` failed in {what} (all of it in {shown(kept)}):", *picked]))


def _verilate(job: _Job, folder: Path) -> dict[str, str]:
    """Translate to C++; returns the contents (hashes) of every file of the project that was read."""
    cflags = " ".join([*CFLAGS, *(f"-I{path}" for path in sorted({p.parent for p in job.cpp} | set(job.includes)))])
    command = [str(job.verilator.command), *verilate_flags(job.spec, job.waves), "--Mdir", str(folder)]
    command += ["-CFLAGS", cflags, "+libext+.sv+.svh+.v"]
    if not job.spec.main:
        import cocotb_tools.config as cocotb_config  # 0.1 s that a cached build does not need

        libs_dir = cocotb_config.libs_dir
        command += ["-LDFLAGS", f"-rdynamic -Wl,-rpath,{libs_dir} -L{libs_dir} -lcocotbvpi_verilator"]
    for lib in job.libs:  # relative paths: the C++ names them, and a copy of the project makes the same
        command += ["-y", shown_from(job.root, lib)]
    command += [f"+incdir+{shown_from(job.root, path)}" for path in job.includes]
    command += [*(shown_from(job.root, path) for path in job.sources), *map(str, job.cpp), str(job.main)]
    _run_step(job, "verilator", command, folder)
    return {
        shown_from(job.root, path): digest(path)
        for path in _read_files(job.root, folder)
        if path.is_relative_to(job.root)
    }


def _contents(job: _Job) -> dict[str, str]:
    """Contents of every file that Verilator might read, as they are now."""
    folders = [*job.libs, *job.includes]
    files = {path for folder in folders for path in folder.glob("*") if path.suffix in HDL_SUFFIXES} | set(job.sources)
    return {shown_from(job.root, path): digest(path) for path in files}


def shown_from(root: Path, path: Path) -> str:
    """`path` relative to `root`, the form in which records name inputs."""
    return str(path.relative_to(root))


def _read_files(root: Path, folder: Path) -> list[Path]:
    """Files that Verilator read, from the dependency file it wrote."""
    text = (folder / "Vtop__ver.d").read_text().replace("\\\n", " ")
    names = text.split(" : ", 1)[1].split()
    skipped = (str(folder), sys.prefix)
    return sorted(
        {(root / name).resolve() for name in names if not name.startswith(skipped) and (root / name).is_file()}
    )


def _compile(job: _Job, folder: Path, jobs: int, say: Say) -> Callable[[], None]:
    """Compile and link; what is returned keeps the objects for other builds."""
    compiler = job.compiler.command
    settings = [OBJECT_FORMAT, str(job.verilator.resolved), str(job.compiler), *OPTIMISE, *WHEEL_MAKE_FLAGS, *CFLAGS]
    headers = cpp_headers(job.cpp, job.includes)
    store = ObjectStore(CACHE / "objects", folder, settings, [*job.cpp, job.main], headers)
    taken = store.take()
    if store.damaged:
        say(f"build: {store.damaged} damaged compiled objects were removed and are compiled again")
    command = [
        "make",
        "-C",
        str(folder),
        "-f",
        "Vtop.mk",
        "-j",
        str(jobs),
        f"CXX={compiler}",
        f"LINK={compiler}",
        "AR=ar",
    ]
    command += [f"PYTHON3={sys.executable}", "PERL=perl", f"VERILATOR_ROOT={job.verilator.root}"]
    command += [*OPTIMISE, *WHEEL_MAKE_FLAGS, *(word for name in taken for word in ("-o", name)), "Vtop"]
    left = store.left(taken)
    if left:
        say(f"build: {len(left)} C++ files to compile, {len(taken)} known from earlier builds")
    with progress.compiling(folder, progress.sizes(folder, left), say):
        _run_step(job, "compile", command, folder)

    def keep() -> None:
        store.keep(taken)
        prune(CACHE / "objects", OBJECTS_LIMIT_BYTES)

    return keep


def _cpp_unchanged(job: _Job) -> None:
    """Raise CheckError when C++ that names the build was edited before the compiler had read it."""
    for path, content in job.cpp_contents.items():
        if digest(path) != content:
            raise CheckError(f"{path.name} changed while it was compiled: build again")


def _publish(job: _Job, folder: Path, inputs: dict[str, str]) -> Built:
    """Keep the binary and what it was made from; a rename makes it appear whole or not at all."""
    key = _build_key(job.request, inputs)
    about = {k: v for k, v in asdict(replace(job.spec, root=Path())).items() if k != "root"}
    with artefacts.workspace(CACHE) as staged:
        shutil.move(folder / "Vtop", staged / "Vtop")
        (staged / "build.json").write_text(json.dumps({**about, "inputs": inputs}, indent=1, default=str))
        artefacts.seal(staged)
        if not (CACHE / key).exists():
            staged.rename(CACHE / key)
    _forget_old_builds()
    _remember(job.request, inputs)
    return Built(CACHE / key / "Vtop", job.waves, False, key)


def _forget_old_builds() -> None:
    """Keep the builds used last; a running program stays usable after its file is gone."""
    builds = sorted(CACHE.glob("*/Vtop"), key=lambda path: path.parent.stat().st_mtime, reverse=True)
    for path in builds[KEPT_BUILDS:]:
        shutil.rmtree(path.parent, ignore_errors=True)


def build(spec: BuildSpec, say: Say = print, jobs: int = 2) -> Built:
    """Build `spec` or find it in the cache.

    Raises UsageError for a wrong spec or a missing tool, CheckError when a tool rejects the sources.
    """
    job = _prepare(spec)
    artefacts.sweep(CACHE)
    with suppress(Damaged):  # which is for the builder alone to remove
        hit = _lookup(job)
        if hit:
            return hit
    with _locked(job.request, say):
        hit = _sound(job, say)
        if hit:
            return hit
        say(f"build: {spec.name} {_describe(spec)} (the first time only)")
        with artefacts.workspace(CACHE) as folder:
            return _build(job, folder, say, jobs)


def _build(job: _Job, folder: Path, say: Say, jobs: int) -> Built:
    before = _contents(job)
    inputs = _verilate(job, folder)
    edited = [path for path, content in inputs.items() if before.get(path, content) != content]
    if edited:
        raise CheckError(f"{edited[0]} changed while Verilator read it: build again")
    if (CACHE / _build_key(job.request, inputs)).exists():  # the same inputs again, after others
        _remember(job.request, inputs)
        known = _sound(job, say)
        if known:
            return known
    keep = _compile(job, folder, jobs, say)
    _cpp_unchanged(job)
    keep()
    return _publish(job, folder, inputs)


def _describe(spec: BuildSpec) -> str:
    words = [f"{name}={value}" for name, value in sorted(spec.parameters.items())]
    words += [word for word, on in (("waves", spec.waves), ("coverage", spec.coverage), ("debug", spec.debug)) if on]
    return " ".join(words)
