"""The device model behind the socket, in this process: no simulator, no compiler."""

from collections.abc import Callable

from model.device import DeviceModel
from sw.audit import AuditError
from sw.driver import DriverError
from sw.llm.backend import InferenceFailed
from sw.llm.package import TrustError
from sw.node.lock import refuse_second
from sw.node.server import Server
from sw.node.start import start
from sw.run import run
from sw.signing import KeyFileError
from sw.transport.base import TransportError
from sw.transport.model import ModelTransport
from tb.run.errors import CheckError
from tb.serve.options import Options


def serve(options: Options, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises PlaceError, CheckError: the socket cannot be used, the device does not do its part.
    """
    refuse_second(options.socket)
    device = DeviceModel(entries=options.entries, lanes=options.lanes, ports=options.ports)
    try:
        node = run(start(ModelTransport(device), options.socket, {"backend": "model"}))
        with Server(node, options.socket, free_run=options.free_run) as server, server.stopped_by_signals():
            ready()
            run(server.serve())
    except (DriverError, TransportError, InferenceFailed, AuditError, KeyFileError, TrustError) as error:
        raise CheckError(str(error)) from None
