from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.stand_in import Vllm, installed, vllm


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vllm-wheel",
        metavar="DIRECTORY",
        help="an unpacked wheel of vLLM: run the adapter's tests on its vllm.v1.kv_offload, under a stub torch",
    )


@pytest.fixture
def wheel(pytestconfig: pytest.Config) -> Path | None:
    given = pytestconfig.getoption("--vllm-wheel", None)
    return Path(given) if given else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of the adapter runs on the recorded interface, and on real ones where there are some."""
    if "flavour" in metafunc.fixturenames:
        given = metafunc.config.getoption("--vllm-wheel", None)
        real = [("wheel", given is not None), ("installed", installed())]
        metafunc.parametrize("flavour", ["recorded", *(name for name, there in real if there)])


@pytest.fixture
def api(flavour: str, wheel: Path | None) -> Iterator[Vllm]:
    with vllm(flavour, wheel) as found:
        yield found
