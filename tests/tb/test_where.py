import re
from dataclasses import replace
from pathlib import Path

import pytest

from tb import where
from tb.contract import CONTRACTS, units, words
from tb.run.errors import UsageError
from tb.run.paths import ROOT
from tests.tb import blind_lookup

SOURCES = where.read_sources()
FIRST = next(place for place in SOURCES.places if place.sentence.startswith("On a hit: ACCESS_STEP"))


def problems_with(changed: where.Place) -> list[str]:
    """What is wrong when the row of `On a hit` is another."""
    places = [changed if place == FIRST else place for place in SOURCES.places]
    return where.all_problems(replace(SOURCES, places=places))


def test_the_index_is_whole_and_the_page_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert where.main(["--check"]) == 0, capsys.readouterr().err


def test_units_are_sentences_table_rows_and_formulas() -> None:
    page = """# A page
It begins. It goes
on (see `x.md` 3): a, b; c.

## 3. Things
**Label.** One. 1 thing is 1.5 long.
- **first** point. Second.
- point

| head | h |
| --- | --- |
| a. B | c |

    p = q
    r = s
"""
    assert [(unit.section, unit.text) for unit in units("device", page)] == [
        (0, "It begins."),
        (0, "It goes on (see `x.md` 3): a, b; c."),
        (3, "**Label.** One."),
        (3, "1 thing is 1.5 long."),
        (3, "**first** point."),
        (3, "Second."),
        (3, "point"),
        (3, "| a. B | c |"),
        (3, "p = q"),
        (3, "r = s"),
    ]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_nothing_of_a_contract_is_left_out(contract: str) -> None:
    page = CONTRACTS[contract].read_text()
    lines = [line for line in page.splitlines() if not re.match(r"#|\|.*(---|name \|| meaning)", line)]
    heads = re.compile(r"\| (offset|bits|name|command|request) \|.*")
    text = words(" ".join(line.removeprefix("- ") for line in lines if not heads.match(line)))
    assert words(" ".join(unit.text for unit in units(contract, page))) == text


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_new_sentence_without_a_row_is_named(contract: str) -> None:
    page = SOURCES.pages[contract]
    planted = "The device sings while a scan runs."
    sentence = units(contract, page)[-1].text
    begin = page.rindex(sentence[-30:]) + 30
    pages = SOURCES.pages | {contract: f"{page[:begin]} {planted}{page[begin:]}"}
    (problem,) = where.all_problems(replace(SOURCES, pages=pages))
    assert problem.startswith(f"{contract}.md ")
    assert f"0 rows in where.toml for `{planted}`" in problem


def test_a_sentence_that_is_gone_is_named() -> None:
    pages = SOURCES.pages | {"device": SOURCES.pages["device"].replace("BAR0 commands know no window.", "")}
    (problem,) = where.all_problems(replace(SOURCES, pages=pages))
    assert problem == "device.md has no sentence `BAR0 commands know no window.`"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"files": FIRST.files | {"rtl": ("rtl/rtbd/kvcpu_none.sv",)}}, "there is no file rtl/rtbd/kvcpu_none.sv"),
        ({"files": FIRST.files | {"model": ("model/slots.py",)}}, "model/slots.py does not mention `access_step`"),
        ({"tests": ("top_ports.test_nothing",)}, "the manifest has no test `top_ports.test_nothing`"),
        ({"tests": ("none.test_nothing",)}, "the manifest has no test `none.test_nothing`"),
        ({"tests": ("tests/model/test_none.py",)}, "there is no file tests/model/test_none.py"),
        ({"tests": ("tests/model/test_slots.py",)}, "tests/model/test_slots.py does not mention `access_step`"),
        ({"tests": ("tests/model/test_lookup.py::test_x",)}, "there is no test tests/model/test_lookup.py::test_x"),
    ],
)
def test_a_row_that_leads_nowhere_is_named(changed: dict[str, object], message: str) -> None:
    (problem,) = problems_with(replace(FIRST, **changed))  # type: ignore[arg-type]
    assert problem.startswith("device.md 3 `On a hit: ACCESS_STEP := current step")
    assert message in problem


def test_a_row_without_any_test_is_named() -> None:
    sources = replace(SOURCES, plan=[])
    unit = next(unit for unit in units("device", SOURCES.pages["device"]) if FIRST.sentence in unit.text)
    (problem,) = where.place_problems(where.Located(unit, replace(FIRST, tests=()), ()), sources)
    assert "no test of the plan or of where.toml mentions `access_step`" in problem


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("in_flight", "blocks In Flight", True),
        ("in flight", "the InFlight state", True),
        ("move", "OpMove", True),
        ("move", "remove", False),
        ("hist", "histogram", True),
        ("r", "for reads", False),
        ("r", "meta.r := 1", True),
    ],
)
def test_a_term_is_the_begin_of_a_word(term: str, text: str, found: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(text)
    assert where.mentions("file", term, tmp_path) is found


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_term_that_most_files_have_is_none(contract: str) -> None:
    """Of the files that may implement a contract at most four in five mention a term, so that it tells them apart."""
    suffixes = {".sv", ".rdl", ".py"}
    names = [
        str(path.relative_to(ROOT))
        for kind in where.KINDS[contract]
        for path in (ROOT / kind).rglob("*")
        if path.suffix in suffixes
    ]
    for term in {place.term for place in SOURCES.places if place.contract == contract and place.term}:
        assert sum(where.mentions(name, term, ROOT) for name in names) <= 0.8 * len(names), term


@pytest.mark.parametrize(
    "row",
    [
        "[[hardware]]\nsentence = 'x'\nprose = 'y'",
        "[[device]]\nsentence = 'x'",
        "[[device]]\nsentence = 'x'\nprose = ''",
        "[[device]]\nsentence = 'x'\nterm = 'y'\nrtl = ['a']",
        "[[device]]\nsentence = 'x'\nterm = 'y'\nsw = ['a']",
        "[[software]]\nsentence = 'x'\nterm = 'y'\nsw = []",
        "[[software]]\nsentence = 'x'\nterm = 'y'\nsw = ['a']\nprose = 'z'",
        "[[software",
    ],
)
def test_a_row_of_another_form_is_refused(row: str, tmp_path: Path) -> None:
    path = tmp_path / "where.toml"
    path.write_text(row)
    with pytest.raises(UsageError, match=r"where\.toml"):
        where.read_places(path)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_40_sentences_drawn_blind_are_found(seed: int) -> None:
    assert blind_lookup.look_up(seed, 40) == []


def test_a_blind_lookup_sees_what_is_missing(tmp_path: Path) -> None:
    page = (ROOT / where.PAGE).read_text()
    unit = next(unit for unit in units("device", SOURCES.pages["device"]) if FIRST.sentence in unit.text)
    assert blind_lookup.misses(unit, blind_lookup.page_rows(page)) == []
    (gone,) = blind_lookup.misses(unit, {})
    assert gone.endswith("is not on the page")
    assert any("does not exist" in why for why in blind_lookup.misses(unit, blind_lookup.page_rows(page), tmp_path))
    for old, new, message in (
        ("| `access_step` |", "| `sing` |", "does not contain `sing`"),
        ("top_ports.test_hit_and_grow", "top_ports.test_none", "there is no test top_ports.test_none"),
    ):
        found = blind_lookup.misses(unit, blind_lookup.page_rows(page.replace(old, new)))
        assert any(message in why for why in found)
