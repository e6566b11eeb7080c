"""The device node over the simulated RTL, scoreboard on: served until stopped, or until its own clients have ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from model.device import DeviceModel
from sw.node.server import Server, in_thread
from sw.node.start import settle, start
from sw.run import run
from sw.transport.model import ModelTransport
from sw.uapi.place import NAME
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.scoreboard.scoreboard import Scoreboard
from tb.serve.clients import CLIENTS, Client

NO_LIMIT = 2**48  # cycles: whoever uses the device decides how long; the driver's own limits notice one that hangs
REST_NS = 20_000_000


@dataclass(frozen=True)
class Site:
    """The RTL with its scoreboard, served to one node after the other."""

    ctx: Context
    bench: Bench
    board: Scoreboard

    @classmethod
    def of(cls, ctx: Context) -> Site:
        """Nothing is reset yet."""
        bench = Bench(ctx)
        board = Scoreboard(ctx, bench)
        bench.link.fill_inserts(0)  # whoever inserts a block writes its bytes
        return cls(ctx, bench, board)

    async def serve(self, path: Path, started: Callable[[Server], None]) -> None:
        """Reset the device, serve it at `path` until stopped, let it come to rest; `started`: the socket is there."""
        await self.bench.reset()
        parent = os.getppid()
        about = {"backend": "rtl", "seed": self.ctx.seed, "log": str(self.ctx.run_dir / "sim.log")}
        node = await start(RtlTransport(self.bench), path, about)
        server = Server(
            node,
            path,
            free_run=bool(self.ctx.settings.get("free_run")),
            check=self.board.drain,
            wanted=lambda: os.getppid() == parent,  # else who started the simulation has died
        )
        with server, server.stopped_by_signals():
            started(server)
            await server.serve()
        await settle(node.driver, REST_NS)

    async def finish(self) -> None:
        """Compare everything the device holds."""
        await self.board.finish()
        print(self.board.summary())


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_LIMIT)
async def serve(ctx: Context) -> None:
    """Serve at the socket that the settings name (`make serve`); without one, serve programs of its own."""
    site = Site.of(ctx)
    if "socket" in ctx.settings:
        await site.serve(Path(ctx.settings["socket"]), lambda _server: None)
        await site.finish()
        return
    with TemporaryDirectory(prefix="kvcpu-") as folder:  # a run's folder may be too long for a socket
        for number, client in enumerate(CLIENTS):
            expected = _on_model(ctx, client, Path(folder) / f"model{number}")
            path = Path(folder) / f"rtl{number}" / NAME
            seen: list[tuple[int, str]] = []
            await site.serve(path, partial(_use, client, path, ctx.run_dir, seen))
            ctx.compare(f"{client.name}: status and output", [expected], seen)
    await site.finish()


def _use(client: Client, path: Path, folder: Path, seen: list[tuple[int, str]], server: Server) -> None:
    """Run a client in a thread of its own; the server is stopped at its end."""

    def run_it() -> None:
        try:
            seen.append(client.run(path, folder))
        finally:
            server.stop()

    Thread(target=run_it, name=client.name).start()


def _on_model(ctx: Context, client: Client, folder: Path) -> tuple[int, str]:
    """How a client must end: as it says itself, or as it does against a fresh device model of the same size."""
    if client.expected is not None:
        return 0, client.expected
    device = DeviceModel(
        entries=ctx.parameters["ENTRIES"], lanes=ctx.parameters["LANES"], ports=ctx.parameters["PORTS"]
    )
    path = folder / NAME
    node = run(start(ModelTransport(device), path, {"backend": "model"}))
    with in_thread(Server(node, path)):
        return client.run(path, ctx.run_dir)
