"""Connect to a Dask scheduler: whatever is wrong with it is one line."""

import asyncio
import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distributed import Client, Security
from distributed.comm import connect

from tb.run.cluster.client import ENDING_S, Cluster
from tb.run.commands import say
from tb.run.errors import UsageError
from tb.run.paths import ROOT

ANSWER_S = 3  # the longest that a scheduler may take to answer
SAME_VERSIONS = ("dask", "distributed", "cloudpickle", "msgpack")


def _versions(about: dict[str, Any]) -> dict[str, str]:
    """Python (major and minor) and the packages that must be equal on both sides."""
    packages = about["packages"]
    python = ".".join(str(packages["python"]).split(".")[:2])
    return {"Python": python, **{name: str(packages[name]) for name in SAME_VERSIONS}}


def check_versions(client: Any) -> None:
    """Raise UsageError when the scheduler or a worker has another version of what both sides must share."""
    try:
        found = client.get_versions(check=False)
        mine = _versions(found["client"])
        others = {"the scheduler": found["scheduler"], **{f"worker {at}": one for at, one in found["workers"].items()}}
        wrong = {who: _versions(about) for who, about in others.items() if _versions(about) != mine}
    except Exception as error:  # noqa: BLE001 - another version may answer in any way
        raise UsageError(f"the scheduler does not tell its versions ({type(error).__name__}): is it Dask's?") from None
    if wrong:
        who, its = next(iter(wrong.items()))
        name = next(name for name in mine if its[name] != mine[name])
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UsageError(
            f"{who} has {name} {its[name]}, this checkout has {mine[name]}{more}: start the scheduler and its workers "
            "from an environment that `make setup-cluster` has made of these sources"
        )


async def _who(address: str) -> str:
    """What answers at an address: "Scheduler", "Worker", ... Raises what Dask does."""
    comm = await connect(address, timeout=ANSWER_S, **Security().get_connection_args("client"))
    try:
        await comm.write({"op": "identity", "reply": True})
        return str((await comm.read())["type"])
    finally:
        comm.abort()


async def _who_in_time(address: str) -> str:
    return await asyncio.wait_for(_who(address), ANSWER_S)


def _connect(address: str) -> Any:
    """A client of the scheduler; a client without one would go on trying, so who answers is asked first.

    Raises UsageError.
    """
    for name in ("distributed", "asyncio"):  # what matters is reported in one line here
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    why = "what answers is another program"
    try:
        who = asyncio.run(_who_in_time(address))
        if who == "Scheduler":
            return Client(address, timeout=ANSWER_S, set_as_default=False)
        why = f"it is a {who.lower()}'s address"
    except TimeoutError:
        why = f"no answer in {ANSWER_S} s"
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # refused, no such host or scheme, certificates
        cause = error.__cause__ or error
        why = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
    except Exception:  # noqa: BLE001 - reading what is no message of Dask can end in any way
        pass
    raise UsageError(f"SCHEDULER={address}: no Dask scheduler answers there ({why})")


@contextlib.contextmanager
def connected(address: str, root: Path = ROOT) -> Iterator[Cluster]:
    """The cluster behind a scheduler's address, for the checkout at `root`; at the end nothing of it is left there.

    Raises UsageError: no scheduler answers, or its versions or those of its workers are others than here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions, which are compared here
        client = _connect(address)
        cluster = Cluster(client, root)
        try:
            check_versions(client)
            cluster.open()
            threads = client.nthreads()
            say(f"cluster: {len(threads)} workers for {sum(threads.values())} tests at the same time")
            yield cluster
        finally:
            cluster.close()
            client.close(timeout=ENDING_S)
