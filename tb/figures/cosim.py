"""`cosim_vs_raw`: the full system run against a bare C++ loop on the same RTL with the same inputs."""

import struct
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tb.figures.files import IMAGE, PINS
from tb.figures.measure import FULL_SIZE, Figure, Found, Workshop, run_job
from tb.run import process
from tb.run.build import BuildSpec
from tb.run.errors import CheckError
from tb.run.leg import Job

LEG = "figures_cosim"
BARE_IMAGE = "bare_directory.bin"
REQUESTS = 150  # some two million cycles
LIMIT_S = 1800.0
BARE_RUNS = 3


@dataclass(frozen=True, slots=True)
class Bare:
    """What the bare loop reports."""

    cycles: int
    cpu_seconds: float  # of the processor
    signature: int


def bare_spec(shop: Workshop) -> BuildSpec:
    """The device alone, with the RTL of the testbench's top and no testbench."""
    tb = shop.manifest.top("kvcpu").spec
    sources = (*(source for source in tb.sources if source.startswith("rtl/")), "rtl/kvcpu.sv")
    libs = tuple(lib for lib in tb.libs if lib.split("/")[0] == "rtl")
    parameters = {**tb.parameters, **FULL_SIZE}
    main = "tb/figures/cpp/bare_main.cpp"
    return BuildSpec("kvcpu_bare", "kvcpu", sources, libs, includes=("tb/dpi",), parameters=parameters, main=main)


def run_bare(binary: Path, folder: Path, entries: int, seed: int) -> Bare:
    """Play the recorded pins of `folder`. Raises CheckError when the loop fails or ends in another state."""
    image, log = folder / BARE_IMAGE, folder / "bare.log"
    command = [str(binary), str(folder / PINS), str(image), str(entries)]
    command += [f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
    ended = process.run(command, env=process.clean_env(), cwd=folder, log=log, timeout_s=LIMIT_S)
    lines = dict(line.split(" ", 1) for line in log.read_text(errors="replace").splitlines() if " " in line)
    if ended.status != 0 or not {"cycles", "seconds", "signature"} <= lines.keys():
        raise CheckError(f"the bare loop failed with status {ended.status}: {log.read_text(errors='replace')[-300:]}")
    return Bare(int(lines["cycles"]), float(lines["seconds"]), int(lines["signature"], 16))


def recorded(folder: Path) -> tuple[int, int]:
    """Cycles and signature of the outputs in the header of a recording (tb/dpi/pins.h)."""
    with (folder / PINS).open("rb") as file:
        _magic, _ports, _axi_bytes, cycles, signature = struct.unpack("<8sQQQQ", file.read(40))
    return cycles, signature


def compare_ends(folder: Path, bare: Bare) -> None:
    """Both runs did the same. Raises CheckError, naming what differs."""
    cycles, signature = recorded(folder)
    if (bare.cycles, bare.signature) != (cycles, signature):
        expected, seen = _outputs(cycles, signature), _outputs(bare.cycles, bare.signature)
        raise CheckError(f"bare loop: expected {expected}, seen {seen}")
    want, got = (folder / IMAGE).read_bytes(), (folder / BARE_IMAGE).read_bytes()
    length = max(len(want), len(got))
    different = [i // 32 for i in range(0, length, 32) if want[i : i + 32] != got[i : i + 32]]
    if different:
        raise CheckError(
            f"bare loop: expected the same directory, seen {len(different)} other entries, the first {different[0]}"
        )


def _outputs(cycles: int, signature: int) -> str:
    return f"{cycles:,} cycles with outputs {signature:#018x}"


def cosim(shop: Workshop) -> Found:
    """Both runs at full size; of processor time, so that it does not matter what else the machine does."""
    leg = shop.leg(LEG, requests=REQUESTS, pins=True)
    binary = shop.build(bare_spec(shop)).binary
    built = shop.build(leg.spec)
    job = Job(leg, leg.tests[0], 1)
    full = run_job(job, built)
    rates = []
    for _ in range(BARE_RUNS):
        bare = run_bare(binary, job.folder, int(leg.spec.parameters["ENTRIES"]), job.seed)
        compare_ends(job.folder, bare)
        rates.append(bare.cycles / bare.cpu_seconds)
    (job.folder / PINS).unlink()
    full_rate, bare_rate = full["cycles"] / full["cpu_seconds"], median(rates)
    how = (
        f"a generated replay of {REQUESTS} requests ({full['cycles']:,} cycles, 20,000 or more a step) at full size "
        f"with driver, runtime and all checks: {full_rate:,.0f} cycles/s from its first cycle to its last comparison; "
        f"the Verilated device alone in a C++ loop (tb/figures/cpp) with the recorded inputs of that run: "
        f"{bare_rate:,.0f} cycles/s, median of {BARE_RUNS} ({min(rates):,.0f} to {max(rates):,.0f}), processor time; "
        f"every output in every cycle and the directory at the end are the same"
    )
    return Found({"cosim_vs_raw": Figure(round(full_rate / bare_rate, 3), how)})
