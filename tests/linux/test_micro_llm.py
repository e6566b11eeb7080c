"""What the guest says of the micro-LLM, against the same prompts over the device model."""

from __future__ import annotations

import copy

import pytest

from tb.linux import micro_llm


@pytest.fixture(scope="module")
def good() -> dict[str, object]:
    return micro_llm.on_host()


def test_the_same_is_no_difference_and_counted(good: dict[str, object]) -> None:
    figures, problems = micro_llm.judge(f"x\r\n{micro_llm.line(good)}\r\nok 1 stack.micro_llm", lambda: good)
    assert problems == []
    assert figures is not None
    assert (figures["prompts"], figures["tokens"], figures["identical"]) == (3, 30, 30)


def test_another_token_is_a_problem_with_both(good: dict[str, object]) -> None:
    other = copy.deepcopy(good)
    other["tokens"][1][2] += 1  # type: ignore[index]  # a record of plain JSON
    figures, problems = micro_llm.judge(micro_llm.line(other), lambda: good)
    assert figures is not None
    assert figures["identical"] == 29
    assert len(problems) == 1
    assert problems[0].startswith("tokens in the guest differ from those over the device model: [[")


def test_a_guest_that_says_nothing_has_no_figures() -> None:
    assert micro_llm.judge("not ok 1 stack.micro_llm") == (None, [])


def test_the_first_difference_ends_a_run_with_its_place() -> None:
    with pytest.raises(micro_llm.Difference, match=r"tokens, prompt 2: expected \[1\], seen \[2\]"):
        micro_llm.Strict().compare("tokens", [1], [2], prompt=2)
