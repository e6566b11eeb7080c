"""What all tests have: Ctrl-C, and a folder of their own for the evidence that their fake runs leave."""

import signal
from collections.abc import Iterator

import pytest


def pytest_configure() -> None:
    """Programs under test are ended by Ctrl-C, also where the tests run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def evidence_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tb.run.evidence.EVIDENCE", tmp_path_factory.mktemp("evidence"))
        yield
