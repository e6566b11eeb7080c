"""Devices that the adapter's settings name."""

from __future__ import annotations

from typing import Any

from model.device import DeviceModel
from sw.run import Sync
from sw.transport.base import Lookup, LookupAnswer
from sw.transport.model import ModelTransport

made: list[Device] = []


class Device(ModelTransport):
    """A small device model that can be made to fail."""

    def __init__(self) -> None:
        super().__init__(DeviceModel(entries=1024, lanes=4))
        self.lost: set[int] = set()  # KV addresses that no port finds

    async def lookups(self, requests: Any) -> list[LookupAnswer]:
        gone = LookupAnswer(False, False, 0, 0, 0)
        return [gone if r.kv_addr in self.lost else await self._one(r) for r in requests]

    async def _one(self, request: Lookup) -> LookupAnswer:
        return (await super().lookups([request]))[0]


made: list[Device] = []


def small() -> Device:
    """A new one, as a setting names it; it is last in `made`."""
    made.append(Device())
    return made[-1]


def nothing() -> object:
    return object()


class Spy:
    """Writes down which commands of a driver are called."""

    def __init__(self, driver: Any) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.driver = driver
        for name in ("step", "share", "release", "prefetch", "evict", "hot", "remove", "lookup", "insert_many"):
            setattr(driver, name, self._watch(name, getattr(driver, name)))

    def _watch(self, name: str, method: Any) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            if name == "lookup":
                self.calls.append(("touch" if named["touch"] else "peek", arguments))
            else:
                self.calls.append((name, arguments))
            return await method(*arguments, **named)

        return call

    def take(self) -> list[str]:
        """Names of the commands since the last call, peeks left out, repetitions once."""
        taken, self.calls = [name for name, _ in self.calls if name != "peek"], []
        return [name for number, name in enumerate(taken) if number == 0 or taken[number - 1] != name]


def entries(driver: Any) -> list[Any]:
    """The directory's entries."""
    return list(Sync(driver).directory().values())
