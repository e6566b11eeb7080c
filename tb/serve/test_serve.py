"""The device node over the simulated RTL, scoreboard on: served until stopped, or until its own clients have ended."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from model.device import DeviceModel
from sw.driver import Driver
from sw.node.server import Server, in_thread
from sw.node.start import settle, start
from sw.run import run
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.scoreboard.scoreboard import Scoreboard
from tb.serve.clients import CLIENTS

NO_LIMIT = 2**48  # cycles: whoever uses the device decides how long; the driver's own limits notice one that hangs
REST_NS = 20_000_000


async def _serve(ctx: Context, path: Path, started: Callable[[Server], None]) -> None:
    """Serve at `path` until stopped; `started` is called when the socket is there."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)  # whoever inserts a block writes its bytes
    await bench.reset()
    parent = os.getppid()
    about = {"backend": "rtl", "seed": ctx.seed, "log": str(ctx.run_dir / "sim.log")}
    node = await start(RtlTransport(bench), path, about)
    server = Server(
        node,
        path,
        free_run=bool(ctx.settings.get("free_run")),
        check=board.drain,
        wanted=lambda: os.getppid() == parent,  # else who started the simulation has died
    )
    with server, server.stopped_by_signals():
        started(server)
        await server.serve()
    await finish(board, node.driver)


async def finish(board: Scoreboard, driver: Driver) -> None:
    """Let the device come to rest and compare all of it."""
    await settle(driver, REST_NS)
    await board.finish()
    print(board.summary())


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_LIMIT)
async def serve(ctx: Context) -> None:
    """Serve at the socket that the settings name (`make serve`); without one, serve programs of its own."""
    if "socket" in ctx.settings:
        await _serve(ctx, Path(ctx.settings["socket"]), lambda _server: None)
        return
    with TemporaryDirectory(prefix="kvcpu-") as folder:  # a run's folder may be too long for a socket
        expected = _on_model(ctx, Path(folder) / "model")
        seen: list[tuple[int, str]] = []
        path = Path(folder) / "rtl" / NAME

        def started(server: Server) -> None:
            def run_all() -> None:
                try:
                    seen.extend(client.run(path, ctx.run_dir) for client in CLIENTS)
                finally:
                    server.stop()

            Thread(target=run_all, name="clients").start()

        await _serve(ctx, path, started)
    ctx.compare("clients ended", len(CLIENTS), len(seen))
    for client, outcome, want in zip(CLIENTS, seen, expected, strict=True):
        ctx.compare(f"{client.name}: status and output", want, outcome)


def _on_model(ctx: Context, folder: Path) -> list[tuple[int, str]]:
    """How each client must end: as it says itself, or as it does against a device model of the same size."""
    device = DeviceModel(
        entries=ctx.parameters["ENTRIES"], lanes=ctx.parameters["LANES"], ports=ctx.parameters["PORTS"]
    )
    path = folder / NAME
    node = run(start(ModelTransport(device), path, {"backend": "model"}))
    with in_thread(Server(node, path)):
        outcomes = [client.run(path, ctx.run_dir) for client in CLIENTS]
    return [
        outcome if client.expected is None else (0, client.expected)
        for client, outcome in zip(CLIENTS, outcomes, strict=True)
    ]
