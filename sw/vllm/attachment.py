"""The device as a process of vLLM reaches it: settings, transport, driver, fence."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from sw.driver import Driver
from sw.driver.types import TIERS, TierConfig
from sw.regs import registers as regs
from sw.run import run
from sw.transport.base import Transport
from sw.vllm.fence import Fence, default_path

PREFIX = "kvcpu_"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that begin with `kvcpu_`, without it.

    Attributes:
        transport: `module:callable`, gives the transport to the device.
        tiers: where new blocks are put: the first that has a free slot.
        slots: slots of the four tiers; given, the scheduler's process configures and enables the
            device, else it is used as it is.
        block_bytes: BLOCK_BYTES, with `slots` only.
        port: lookup port of the copies; its window must begin at request 0.
        fence: lock file that the processes of the engine share.
    """

    transport: str
    tiers: Sequence[int] = (1, 2, 3)
    slots: Sequence[int] | None = None
    block_bytes: int | None = None
    port: int = 0
    fence: str | None = None

    @classmethod
    def parse(cls, extra_config: Mapping[str, Any]) -> Settings:
        """From `kv_connector_extra_config`; keys of others are left alone.

        Raises:
            ValueError: no transport, an unknown key, or a value that is none.
        """
        given = {key.removeprefix(PREFIX): value for key, value in extra_config.items() if key.startswith(PREFIX)}
        unknown = sorted(set(given) - set(cls.__dataclass_fields__))
        if unknown:
            raise ValueError(f"no such setting: {PREFIX}{unknown[0]}")
        if "transport" not in given:
            raise ValueError(f"{PREFIX}transport is missing: module:callable that gives the transport to the device")
        settings = cls(**given)
        tiers = list(settings.tiers)
        if not tiers or len(set(tiers)) != len(tiers) or not set(tiers) <= set(range(TIERS)):
            raise ValueError(f"{PREFIX}tiers {tiers}: some of 0 to {TIERS - 1}, each once")
        if settings.slots is not None and len(settings.slots) != TIERS:
            raise ValueError(f"{PREFIX}slots: one number for each of the {TIERS} tiers")
        if settings.block_bytes is not None and settings.slots is None:
            raise ValueError(f"{PREFIX}block_bytes needs {PREFIX}slots")
        return settings


@dataclass(frozen=True, slots=True)
class Attachment:
    """An open device; `block_bytes` is its BLOCK_BYTES."""

    settings: Settings
    driver: Driver
    fence: Fence
    block_bytes: int

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """What fails within the block leaves no open lock file behind."""
        try:
            yield
        except BaseException:
            self.fence.close()
            raise

    @property
    def transport(self) -> Transport:
        """The transport under the driver."""
        return self.driver.registers.transport


# A process has one device for an engine: its scheduler and its worker share the transport, if they are in one.
_drivers: WeakValueDictionary[tuple[str, str], Driver] = WeakValueDictionary()


def attach(extra_config: Mapping[str, Any], engine_id: str, *, configure: bool) -> Attachment:
    """Open the device of an engine.

    Args:
        extra_config: has the settings.
        engine_id: of the engine.
        configure: whether `slots` and `block_bytes` are to be set: by the scheduler's process only.

    Raises:
        ValueError: a setting that is none.
        DriverError: the device is not one, or refuses the configuration.
        FenceError: the lock file cannot be used.
    """
    settings = Settings.parse(extra_config)
    name = (engine_id, settings.transport)
    driver = _drivers.get(name)
    if driver is None:
        driver = _drivers[name] = run(Driver.probe(_transport(settings.transport)))
    if configure and settings.slots is not None:
        run(_configure(driver, settings.slots, settings.block_bytes))
    # vLLM makes its workers before its scheduler, so the register may not have been written yet.
    block_bytes = settings.block_bytes or run(driver.registers.read(regs.BLOCK_BYTES))
    fence = Fence(Path(settings.fence) if settings.fence else default_path(engine_id))
    return Attachment(settings, driver, fence, block_bytes)


async def _configure(driver: Driver, slots: Sequence[int], block_bytes: int | None) -> None:
    if block_bytes is not None:
        await driver.configure_block_bytes(block_bytes)
    await driver.configure_tiers({tier: TierConfig(base=0, slots=count) for tier, count in enumerate(slots)})
    await driver.enable(demand=True)


def _transport(name: str) -> Transport:
    module, _, attribute = name.partition(":")
    try:
        transport = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{PREFIX}transport {name!r}: {error}") from None
    if not isinstance(transport, Transport):
        raise ValueError(f"{PREFIX}transport {name!r} gives a {type(transport).__name__}, no transport")
    return transport
