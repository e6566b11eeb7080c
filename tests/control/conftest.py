from __future__ import annotations

import pytest

from tests.control.system import System


@pytest.fixture
def system() -> System:
    return System()
