from __future__ import annotations

import pytest

from model.device import DeviceModel
from sw.driver import Driver
from sw.driver.types import TierConfig
from sw.run import Sync, run
from sw.transport.model import ModelTransport
from tests.driver.fake import FakeTransport


@pytest.fixture
def fake() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def fake_driver(fake: FakeTransport) -> Driver:
    driver = run(Driver.probe(fake, timeout_ns=5_000))
    fake.log.clear()
    return driver


@pytest.fixture
def transport() -> ModelTransport:
    return ModelTransport(DeviceModel(entries=1024, lanes=4))


@pytest.fixture
def driver(transport: ModelTransport) -> Sync:
    """A driver of the device model, tiers configured and enabled."""
    driver = Sync(run(Driver.probe(transport)))
    driver.configure_tiers({tier: TierConfig(base=tier << 32, slots=256) for tier in range(4)})
    driver.enable(demand=False)
    return driver
