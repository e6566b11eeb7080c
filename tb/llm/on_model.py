"""A run on the device model, in this process: no simulator, no compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from model import Mismatch
from model.device import DeviceModel
from sw.driver import DriverError
from sw.llm.backend import DeviceFault
from sw.run import run
from sw.transport.base import TransportError
from sw.transport.model import ModelTransport
from tb.llm.job import LlmJob
from tb.llm.options import Options
from tb.llm.outcome import Outcome, Progress
from tb.llm.setup import shipped
from tb.run.errors import CheckError
from tb.sim.counter import Counter
from tb.sim.errors import Difference


def serve(options: Options, take: Callable[[Progress], None]) -> Outcome:
    """Serve the prompts; `take` gets the state after every chunk.

    Raises Difference, CheckError: the device did not do its part.
    """
    device = DeviceModel(entries=options.entries, lanes=options.lanes, ports=options.ports)
    counter = Counter()

    def observe(progress: Progress) -> None:
        take(replace(progress, comparisons=counter.comparisons, mismatches=counter.mismatches))

    try:
        with TemporaryDirectory(prefix="kvcpu-") as folder:
            transport = ModelTransport(device)
            job = LlmJob(
                transport, options.prompts, shipped(), counter, Path(folder), seed=options.seed, observer=observe
            )
            outcome = run(job.run())
    except Mismatch as error:
        raise Difference(str(error)) from None
    except (DriverError, TransportError, DeviceFault) as error:
        raise CheckError(str(error)) from None
    observe(Progress(job.system.clock.now(), len(outcome.served), outcome=outcome))
    return outcome
