"""A guest without a device, in which time passes only while somebody takes it (`time-travel=inf-cpu`)."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tb.linux import programs
from tb.linux.kernel import Kernel
from tb.run.errors import CheckError
from tb.run.process import clean_env, run

LIMIT_S = 300.0
MEMORY = "64M"


def boot(kernel: Kernel, sets: str, log: Path) -> str:
    """Run the sets under SCHED_DEADLINE; what the guest printed. Raises CheckError: it did not come to its end."""
    with TemporaryDirectory(prefix="kvcpu-") as name:
        folder = Path(name)
        (folder / "sets").write_text(sets)
        command = [
            "setarch", "x86_64", "-R", str(kernel.program), f"mem={MEMORY}", "root=/dev/root", "rootfstype=hostfs",
            "ro", "con=null", "con0=null,fd:1", "ssl=null", "stderr=1", "panic=-1", "random.trust_cpu=off",
            "time-travel=inf-cpu", f"init={programs.deadline_init()}", f"kv_module={programs.burner(kernel)}",
            f"kv_sets={folder / 'sets'}",
        ]  # fmt: skip
        ended = run(command, env=clean_env({"TMPDIR": name}), cwd=folder, log=log, timeout_s=LIMIT_S)
    if ended.timed_out:
        raise CheckError(f"the guest of the task sets did not end within {LIMIT_S:g} s (log: {log})")
    return log.read_text(errors="replace")
