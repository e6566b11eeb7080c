"""What all tests have: evidence for the sign-off that their fake runs leave is in a folder of its own."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def evidence_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tb.run.evidence.EVIDENCE", tmp_path_factory.mktemp("evidence"))
        yield
