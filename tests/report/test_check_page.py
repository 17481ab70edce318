"""The page of `stage2 check`: whole in both languages, and no text of the data acts in it."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import escape

from stage2.data.doubtful_labels import KINDS
from stage2.report.check_page import as_html, as_markdown, as_text, sections
from stage2.report.check_rules import advice
from stage2.report.words import CATALOGS
from tests.report.test_check_rules import CUT, PROMPTS, SIDE, UNKNOWN, facts

EVIL = "<script>alert(1)</script> | `x` *y* \u202e"


def whole() -> dict[str, Any]:
    """Return facts with everything that the page can show."""
    found = facts()
    example = {"qa_id": EVIL, "question": EVIL * 30, "chunk_id": EVIL, "chunk": EVIL,
               "other_qa_id": "q2", "other_question": EVIL, "count": 2, "answer": EVIL}  # fmt: skip
    kinds = [{"name": kind, "count": 1, "share": 0.1, "examples": [example]} for kind in KINDS]
    found["labels"] |= {"kinds": kinds, "not_checked": ["answer_elsewhere"]}
    found |= {"model": EVIL, "prompts": {**PROMPTS, "prompts": {"query": EVIL}}}
    found["sides"] = {"dev": SIDE, "test": SIDE}
    found["past_limit"] = CUT | {"p": 0.06}
    found["rankings"]["fusion"] = found["rankings"]["bm25"]
    return found | {"advice": advice(found)}


@pytest.mark.parametrize("language", CATALOGS)
def test_nothing_of_the_data_acts(language: str) -> None:
    found = whole()
    page, text = as_html(found, language), as_markdown(found, language)
    assert "<script" not in page + text
    assert "script-src" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;script&gt;" in text
    assert "\\| \\`x\\` \\*y\\*" in text
    assert "\u202e" not in text
    assert str(escape(found["advice"]["text"][language])) in page
    assert "://" not in page


@pytest.mark.parametrize("language", CATALOGS)
def test_every_section_is_there_with_and_without_findings(language: str) -> None:
    full, bare = sections(whole(), language), sections(facts(), language)
    assert [one.title for one in full] == [one.title for one in bare]
    assert all(len(row) == len(one.header) for one in full for row in one.rows)
    assert len({one.title for one in full}) == 8
    titles = [line for line in as_markdown(whole(), language).splitlines() if line[:3] == "## "]
    assert titles == [f"## {one.title}" for one in full]


def test_the_kinds_of_doubts_have_words() -> None:
    for catalog in CATALOGS.values():
        assert {f"doubt_{kind}" for kind in KINDS} <= catalog.keys()


def test_a_terminal_gets_the_table_and_the_sentence() -> None:
    found = whole()
    *table, sentence, remark = as_text(found, "en").splitlines()
    assert sentence == found["advice"]["text"]["en"]
    assert remark == found["advice"]["remarks"][0]["text"]["en"]
    assert [line.split()[0] for line in table[1:]] == [
        "nDCG@10", "MRR", "Success@1", "Success@3", "Success@10", "Recall@100",
    ]  # fmt: skip
    assert table[2].split() == ["MRR", "0.010", "0.600", "0.500", "0.500"]


def test_what_is_not_known_is_a_dash() -> None:
    found = facts()
    found["power"] |= {"smallest_gain": None,
                       "gain": {"gain": 0.02, "power": None, "more_questions": None}}  # fmt: skip
    found["texts"] = {}
    cells = [cell for one in sections(found, "en") for row in one.rows for cell in row]
    assert cells.count("–") == 3


@pytest.mark.parametrize("language", CATALOGS)
def test_remarks_and_what_is_past_the_limit_are_shown(language: str) -> None:
    found = whole()
    (remark,) = found["advice"]["remarks"]
    assert str(escape(remark["text"][language])) in as_html(found, language)
    assert remark["text"][language].split("%")[0] in as_markdown(found, language)
    notes = [note for one in sections(found, language) for note in one.notes]
    assert sum("50.0%" in note for note in notes) == 1
    assert sum("−0.200 [−0.300, −0.100]" in note for note in notes) == 1
    # Without answers there is one sentence, about tokens.
    found["past_limit"] = CUT | UNKNOWN | {"by": "tokens", "share": 0.625}
    fewer = [note for one in sections(found, language) for note in one.notes]
    assert len(fewer) == len(notes) - 1
    assert sum("62.5%" in note for note in fewer) == 1
