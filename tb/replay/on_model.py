"""A replay on the device model, in this process: no simulator, no compiler."""

from collections.abc import Callable

from model import Mismatch
from model.device import DeviceModel
from sw.driver import DriverError
from sw.replay.config import ReplayConfig
from sw.replay.device import DeviceFault
from sw.replay.records import Sample, Tally
from sw.replay.runtime import Replay
from sw.replay.trace import TraceRequest
from sw.run import run
from sw.transport.base import TransportError
from sw.transport.model import ModelTransport
from tb.replay.feed import Update
from tb.replay.options import Options
from tb.run.errors import CheckError
from tb.sim.counter import Counter
from tb.sim.errors import Difference


def replay(
    options: Options,
    workload: list[TraceRequest],
    config: ReplayConfig,
    take: Callable[[Update], None],
    device: DeviceModel | None = None,
) -> Tally:
    """Replay a workload; `take` gets the state after every step.

    Raises Difference, CheckError: the device did not do its part.
    """
    device = device or DeviceModel(entries=options.entries, lanes=options.lanes, ports=options.ports)
    counter = Counter()

    def observe(sample: Sample | None, tally: Tally) -> None:
        take(Update(sample, tally, counter.comparisons, counter.mismatches))

    job = Replay(ModelTransport(device), workload, config, counter, seed=options.seed, observer=observe)
    observe(None, job.tally)
    try:
        run(job.run())
    except Mismatch as error:
        raise Difference(str(error)) from None
    except (DriverError, TransportError, DeviceFault) as error:
        raise CheckError(str(error)) from None
    finally:
        observe(None, job.tally)
    return job.tally
