"""Connect to a Dask scheduler: whatever is wrong with it is one line."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distributed import Client

from tb.run.cluster.client import ENDING_S, Cluster
from tb.run.commands import say
from tb.run.errors import UsageError
from tb.run.paths import ROOT

CONNECT_S = 8  # the longest that a scheduler may take to answer
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


def _connect(address: str) -> Any:
    """A client of the scheduler. Raises UsageError within CONNECT_S."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)  # what matters is reported in one line here
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except Exception as error:  # noqa: BLE001 - wrong addresses, certificates and programs raise all kinds
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"SCHEDULER={address}: no Dask scheduler answers there ({text[:200]})") from None


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
