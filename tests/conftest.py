"""What every test has: evidence for the sign-off that it makes by its fake runs is in a folder of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def evidence_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    monkeypatch.setattr("tb.run.evidence.EVIDENCE", folder)
    return folder
