"""How the page looks and is used: at three widths, light and dark, by keyboard, on paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from stage2.evaluation.baselines import Baseline
from stage2.evaluation.compare import QuestionSet, compare
from stage2.report.render import write_report
from stage2.report.verdict import sentences
from stage2.utils import files
from tests.comparisons import scored
from tests.report.browsers import POOR, UNNAMED, Visit
from tests.report.folders import epoch, record
from tests.small import write_jsonl

COUNT, CASES = 24, 2
LONG = "A-word-without-a-space-" * 12

# Where the focus is, and whether one sees it there.
FOCUSED = """() => {
  const e = document.activeElement;
  if (e === document.body) return null;
  const point = e.closest(".points") && e.querySelector("path");
  const outline = getComputedStyle(e);
  const seen = point ? parseFloat(getComputedStyle(point).strokeWidth) > 2
    : outline.outlineStyle !== "none" && parseFloat(outline.outlineWidth) >= 1;
  return { name: e.id || e.getAttribute("class") || e.tagName, point: Boolean(point), seen,
    place: [...document.querySelectorAll("*")].indexOf(e) };
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the pages of one run in both languages; of each kind only two questions are cases."""
    made = {}
    for language in ("en", "zh"):
        folder = tmp_path_factory.mktemp(language)
        write_folder(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stage2.report.question_ranks.CASES", CASES)
            write_report(folder, language)
        made[language] = folder / files.PAGE
    return made


def write_folder(folder: Path) -> None:
    before, after = ranked(lambda n: n % 5), ranked(lambda n: (n % 3 == 0) * (n % 4))
    rows, test = np.arange(COUNT), np.arange(0, COUNT, 2)
    sources = ({"candidates": one, "corpus": one} for one in (before, after))
    backbone = Baseline(ranked(lambda n: n % 2), "an encoder", 384)
    baselines = {"bm25": Baseline(before), "untouched_backbone": backbone}
    sets = [QuestionSet("test", test, True), QuestionSet("all", rows, False, COUNT // 2)]
    comparison = compare(*sources, sets, rows, seed=0, baselines=baselines)
    comparison |= {"embedding_dim": 384}
    comparison["verdict"]["text"] = sentences(comparison)
    questions: list[dict[str, Any]] = []
    for n in range(COUNT):
        old, new = 1 + n % 5, 1 + (n % 3 == 0) * (n % 4)
        change = "same" if old == new else "better" if new < old else "worse"
        if (old == 1) != (new == 1):
            change = "fixed" if new == 1 else "broken"
        questions.append({
            "qa_id": f"q{n:02}", "question": f"Question {n}? {LONG if n == 3 else ''}",
            "set": "test" if n % 2 == 0 else "train", "held_out": n % 2 == 0,
            "ranks": {"corpus": {"before": old, "after": new}}, "change": change,
        })  # fmt: skip
    for name, key in ((files.EVALUATION, "before"), (files.EVALUATION_AFTER, "after")):
        evaluated = [
            {"qa_id": row["qa_id"], "question": row["question"],
             "similarities": {"0": 0.5 + n / 100, "1": row["ranks"]["corpus"][key] / 10},
             "consistency_metrics": {"expected_rank": 1.0}}
            for n, row in enumerate(questions)
        ]  # fmt: skip
        files.write_json(folder / name, evaluated)
    samples = [{"qa_id": row["qa_id"], "question": row["question"],
                "ground_truth_contexts": [LONG], "negative_contexts": ["wrong"]}
               for row in questions]  # fmt: skip
    write_jsonl(folder / files.CONSTRUCTED, samples)
    write_jsonl(folder / files.PER_QUESTION, questions)
    write_jsonl(folder / files.TRAINING_LOG, [epoch(0, None, 0.35), epoch(1, 0.1, 0.5),
                                              epoch(2, 0.05, 0.6)])  # fmt: skip
    audit = {"checks": [{"meaning": {"en": "a check", "zh": "检查"}, "count": 3}]}
    for name, value in (
        (files.RUN, record()),
        (files.COMPARISON, comparison),
        (files.AUDIT, audit),
    ):
        (folder / name).write_text(json.dumps(value), "utf-8")


def ranked(above: Callable[[int], int]) -> Any:
    """Rank the first of five candidates below so many others for each question."""
    return scored([[0.5, *(0.9 if place < above(n) else 0.1 for place in range(4))]
                   for n in range(COUNT)])  # fmt: skip


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def opened(language: str = "en", width: int = 1280, anchor: str = "", **more: Any) -> Visit:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **more))
        return Visit(contexts[-1], pages[language], anchor)

    yield opened
    for context in contexts:
        context.close()


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh", "dark")])
def test_at_every_width_all_can_be_read(
    open_page: Callable[..., Visit], width: int, language: str, scheme: str
) -> None:
    visit = open_page(language, width, color_scheme=scheme)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    open_all(visit.page)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.errors == []
    assert visit.page.evaluate(POOR) == []
    assert visit.page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[language]
    # No figure's writing leaves its figure, whatever the width.
    outside = """() => [...document.querySelectorAll("figure")].flatMap((f) => {
      const room = f.getBoundingClientRect();
      return [...f.querySelectorAll("text")].filter((t) => {
        const box = t.getBoundingClientRect();
        return box.left < room.left - 1 || box.right > room.right + 1;
      }).map((t) => t.textContent); })"""
    assert visit.page.evaluate(outside) == []


def test_pictures_stand_before_every_table(open_page: Callable[..., Visit]) -> None:
    page = open_page().page
    names = page.eval_on_selector_all("figure, table", "all => all.map((e) => e.id || e.tagName)")
    assert names[:5] == ["bars", "ranks", "scores", "curves", "TABLE"]
    assert page.locator("figure svg[aria-label]").count() == 4
    # Every mark says what it is, to the pointer and to who hears the page.
    untold = """() => [...document.querySelectorAll("figure svg :is(rect, circle, .points path)")]
      .filter((e) => !e.matches(".ring") && !e.querySelector("title")
        && !e.parentElement.querySelector(":scope > title")).length"""
    assert page.evaluate(untold) == 0


def test_the_keyboard_reaches_all_in_the_order_of_the_page(open_page: Callable[..., Visit]) -> None:
    page = open_page().page
    assert page.evaluate(UNNAMED) == []
    stops = []
    while True:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or stop in stops:
            break
        stops.append(stop)
    assert stops[0]["name"] == "skip"
    assert [stop["place"] for stop in stops] == sorted(stop["place"] for stop in stops)
    assert [stop for stop in stops if not stop["seen"]] == []
    # The points are one stop, so that nobody has to pass them all.
    assert sum(stop["point"] for stop in stops) == 1
    names = [stop["name"] for stop in stops]
    assert {"search", "kind", "wide", "SUMMARY"} <= set(names)
    page.keyboard.press("Shift+Tab")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "tables"


def test_a_click_on_a_point_opens_its_question(open_page: Callable[..., Visit]) -> None:
    page = open_page().page
    point = page.locator(".points a[href='#fixed-1']")
    name = (point.locator("title").text_content() or "").split("\n")[1].partition(":")[0]
    for _ in range(2):  # the second time the address is there already
        point.click(force=True)
        opened = page.locator("details[open]")
        opened.wait_for(state="attached")
        assert opened.get_attribute("data-qa") == name
        page.locator("details[open] summary").click()


def test_arrows_go_from_point_to_point_and_enter_opens(open_page: Callable[..., Visit]) -> None:
    page = open_page().page
    links = page.locator(".points a")
    links.first.focus()
    page.keyboard.press("ArrowRight")
    second = links.nth(1)
    assert second.evaluate("e => e === document.activeElement")
    assert page.locator(".told").text_content() == second.locator("title").text_content()
    page.keyboard.press("End")
    assert links.last.evaluate("e => e === document.activeElement")
    page.keyboard.press("ArrowDown")  # there is none after the last
    assert links.last.evaluate("e => e === document.activeElement")
    page.keyboard.press("Enter")
    target = links.last.get_attribute("href")
    page.locator(f":is({target}, details:has({target}) summary):focus").wait_for()


def test_a_question_without_candidates_here_is_found_in_the_table(
    open_page: Callable[..., Visit],
) -> None:
    href = open_page().page.locator(".points a[href^='#question-']").first.get_attribute("href")
    page = open_page(anchor=href).page
    row = page.locator("tr.found")
    assert f"#{row.get_attribute('id')}" == href
    assert row.evaluate("e => e === document.activeElement")
    # Also if a search has left it out.
    page.fill("#search", "no such question")
    assert page.locator("tr.found").count() == 0
    page.locator(f".points a[href='{href}']").press("Enter")
    page.locator("tr.found").wait_for(state="attached")


def test_without_a_script_every_point_leads_to_its_question(
    open_page: Callable[..., Visit],
) -> None:
    """By the pointer, and by the keyboard, which goes on from there."""
    visit = open_page(java_script_enabled=False)
    page = visit.page
    for control in ("#search", "#kind", ".pager", ".told", "#questions-table"):
        assert not page.locator(control).is_visible()
    links = page.locator(".points a")
    hrefs = links.evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert len(hrefs) == COUNT
    names = page.evaluate("""() => [...document.querySelectorAll("[id]")].map((e) => e.id)""")
    assert len(set(names)) == len(names)
    assert {href[1:] for href in hrefs} <= set(names)
    of_row = next(href for href in hrefs if href.startswith("#question-"))
    page.locator(f".points a[href='{of_row}']").click(force=True)
    row = page.locator(f"tr{of_row}:target")
    row.wait_for()
    assert row.evaluate("e => e.getBoundingClientRect().top < innerHeight")
    title = page.locator(f".points a[href='{of_row}'] title").text_content() or ""
    assert row.locator("td").first.inner_text() == title.split("\n")[1].partition(":")[0]
    assert page.locator("details[open]").count() == 0
    page.locator(".points a[href='#fixed-1']").press("Enter")
    opened = page.locator("details[open]:has(#fixed-1)")
    opened.wait_for()
    assert opened.locator("table").is_visible()
    assert opened.locator("summary").evaluate("e => e.getBoundingClientRect().top >= 0")
    assert page.evaluate(POOR) == []
    # The table of the picture leads to the cases too.
    page.locator("noscript a[href='#fixed-2']").click()
    page.locator("details[open]:has(#fixed-2)").wait_for()
    assert visit.errors == []


def test_on_a_phone_the_questions_are_cards(open_page: Callable[..., Visit]) -> None:
    page = open_page(width=360, has_touch=True).page
    cell = page.locator("#questions-table tbody td").nth(3)
    told = cell.evaluate("e => getComputedStyle(e, '::before').content")
    assert "Before" in told
    box = page.locator("#questions-table tbody tr").first.bounding_box()
    assert box is not None
    assert box["width"] < 360
    # A cell is still one for who hears the page.
    assert page.get_by_role("columnheader").first.is_visible()
    assert page.get_by_role("cell").nth(3).count() == 1


def test_paper_has_no_controls_and_all_questions(open_page: Callable[..., Visit]) -> None:
    page = open_page(width=760, color_scheme="dark").page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for control in ("#search", "#kind", ".pager", ".skip", ".told"):
        assert not page.locator(control).is_visible()
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 760
    wider = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    assert page.eval_on_selector_all(".wide", wider) == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(POOR) == []
