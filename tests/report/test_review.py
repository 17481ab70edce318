"""The page of doubtful labels: what it says, and how it is used by keyboard, on a phone, again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from stage2.data.judgements import question_hash
from stage2.report.page_words import REVIEW_WORDS
from stage2.report.review import render_review, write_review
from tests.report.browsers import POOR, UNNAMED, Visit

EVIL = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)> & {by}"
LONG = "A-word-without-a-space-" * 12


def pair(number: int, **changes: Any) -> dict[str, Any]:
    question = f"Question {number}?"
    return {
        "question_id": f"q{number}", "question_hash": question_hash(question),
        "chunk_id": f"c{number}", "kind": ("missing", "label")[number % 2], "doubt": 9.0 - number,
        "reasons": [{"name": "model_above"}, {"name": "contains_answer", "answer": "Elba {0}"}],
        "question": question, "answer": "Elba", "passage": f"Passage {number}. {LONG}",
        "beside_chunk_id": "c9", "beside": "Beside.",
    } | changes  # fmt: skip


PAIRS = [pair(0), pair(1), pair(2, question=EVIL, passage=EVIL), pair(3, beside=None)]


def test_texts_are_data_and_never_markup() -> None:
    page = render_review([pair(0, passage=EVIL)], 1, "en")
    assert page.count("<script>") == 1
    assert "<img" not in page
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    assert json.loads(found[1])["pairs"][0]["passage"] == EVIL


def test_words_agree_in_both_languages() -> None:
    english, chinese = REVIEW_WORDS["en"], REVIEW_WORDS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", chinese[key])), key


def test_it_says_what_is_left_out_and_that_there_is_nothing() -> None:
    assert "The 4 most doubtful of 1,234 pairs." in render_review(PAIRS, 1234, "en")
    empty = render_review([], 0, "zh")
    assert REVIEW_WORDS["zh"]["none"] in empty
    assert 'id="review"' not in empty


def test_the_key_is_that_of_the_pairs_alone() -> None:
    def key(rows: list[dict[str, Any]], language: str = "en") -> str:
        return re.findall(r'data-key="(\S+)"', render_review(rows, 9, language))[0]

    assert key(PAIRS) == key(PAIRS[::-1], "zh")
    assert key(PAIRS) != key(PAIRS[:3])


Open = Callable[..., Visit]


@pytest.fixture
def open_review(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts: list[BrowserContext] = []

    def opened(language: str = "en", width: int = 1280, **more: Any) -> Visit:
        path = tmp_path / f"review-{language}.html"
        write_review(path, PAIRS, len(PAIRS), language)
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **more))
        return Visit(contexts[-1], path)

    yield opened
    for context in contexts:
        context.close()


def saved(page: Page) -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "judgements.jsonl"
    text = Path(download.value.path()).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def pressed(page: Page) -> list[str | None]:
    buttons = page.locator("[aria-pressed=true]")
    return [one.get_attribute("data-judgement") for one in buttons.all()]


def test_keys_judge_move_and_undo(open_review: Open) -> None:
    visit = open_review()
    page = visit.page
    assert page.locator("#asked").text_content() == REVIEW_WORDS["en"]["missing"]
    assert page.locator("#reasons li").all_text_contents()[1] == (
        "It contains the answer “Elba {0}”."
    )
    for key in ("1", "n", "3"):
        page.keyboard.press(key)
    assert page.locator("#where").text_content() == "Pair 4 of 4"
    assert page.locator("#compare").text_content() == REVIEW_WORDS["en"]["no_beside"]
    page.keyboard.press("ArrowLeft")
    assert page.locator("#passage").text_content() == EVIL
    assert pressed(page) == ["unsure"]
    page.keyboard.press("z")
    assert pressed(page) == []
    page.keyboard.press("2")
    page.keyboard.press("z")
    page.keyboard.press("a")
    assert page.locator("#done").text_content() == "3 of 4 judged"
    page.fill("#note", "2 and n are no keys here")
    page.keyboard.press("1")
    page.click("[data-judgement=not]")
    rows = saved(page)
    assert [(row["question_id"], row["chunk_id"], row["judgement"]) for row in rows] == [
        ("q0", "c0", "answer"), ("q1", "c1", "not"), ("q2", "c2", "answer"), ("q3", "c3", "not"),
    ]  # fmt: skip
    assert rows[3]["note"] == "2 and n are no keys here1"
    assert all(row["by"] == "reviewer" and row["at"].endswith("Z") for row in rows)
    assert rows[0]["question_hash"] == PAIRS[0]["question_hash"]
    assert visit.errors == []
    # Nothing but the page itself, and the file that it gave.
    assert [url for url in visit.requests if not url.startswith(("file:", "blob:"))] == []
    assert page.title() == "stage2 – Which labels are wrong?"


def test_what_was_judged_is_there_again_and_a_file_is_loaded(
    open_review: Open, tmp_path: Path
) -> None:
    page = open_review().page
    page.fill("#by", "Ada")
    page.locator("#by").blur()
    page.keyboard.press("1")
    page.reload()
    assert page.locator("#where").text_content() == "Pair 2 of 4"
    assert page.input_value("#by") == "Ada"
    (mine,) = saved(page)
    assert mine["by"] == "Ada"
    file = tmp_path / "judgements.jsonl"
    row = {"question_id": "q2", "chunk_id": "c2", "judgement": "unsure", "by": "Bob"}
    other = {**row, "question_id": "q7"}
    file.write_text("".join(json.dumps(one) + "\n" for one in (row, other)))
    page.set_input_files("#load", file)
    page.get_by_text("1 judgements loaded, 1 left out").wait_for()
    assert [one["by"] for one in saved(page)] == ["Ada", "Bob"]
    page.click("#open")
    assert page.locator("#where").text_content() == "Pair 4 of 4"
    file.write_text(json.dumps({**row, "question_id": "q3", "chunk_id": "c3"}) + "\n{")
    page.set_input_files("#load", file)
    page.get_by_text("line 2 is no judgement").wait_for()
    assert len(saved(page)) == 2


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [("en", 360, "light"), ("zh", 360, "dark"), ("zh", 1280, "dark")],
)
def test_it_can_be_read_on_a_phone_in_the_dark_and_by_ear(
    open_review: Open, language: str, width: int, scheme: Any
) -> None:
    visit = open_review(language, width, color_scheme=scheme)
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.keyboard.press("1")
    assert page.evaluate(POOR) == []
    assert page.evaluate(UNNAMED) == []
    assert page.locator("[role=status]").text_content()
    for name in ("answer", "not", "unsure"):
        box = page.locator(f"[data-judgement={name}]").bounding_box()
        assert box is not None
        assert box["height"] >= 40
        assert box["y"] + box["height"] <= 800
    assert visit.errors == []
