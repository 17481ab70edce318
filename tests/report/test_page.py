"""The report's page in a real browser: it works, is complete, and runs no foreign script."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page

from stage2.cli.main import program
from stage2.config_file import read_toml
from stage2.report.page import command_line
from stage2.report.run import read_run
from stage2.utils import files
from tests.conftest import read_jsonl
from tests.report.browsers import Visit
from tests.small import write_jsonl

HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
CLOSING = "</script><script>window.hacked = 3</script>"


@pytest.fixture(scope="module")
def run_folder(
    corpus: dict[str, Path], model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder of a run on data with hostile ids, questions, chunks and answers."""
    folder = tmp_path_factory.mktemp("hostile")
    chunks, qa = read_jsonl(corpus["chunks"]), read_jsonl(corpus["qa"])
    # Only some are hostile: similar ones would be near-duplicates, which a split keeps together.
    for row in chunks[:4]:
        row["text"] += f" {HOSTILE} {CLOSING}"
    for row in qa:
        row["question"] += f" {HOSTILE} {CLOSING}"
        row["qa_id"] += f'"{CLOSING}'
    entities = [
        {"text": row["text"], "targets": [{"char_start": 0, "char_end": 4}]} for row in chunks
    ]
    paths = {
        name: write_jsonl(folder / f"{name}.jsonl", rows)
        for name, rows in (("qa", qa), ("chunks", chunks), ("entities", entities))
    }
    flags = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    flags += ["--model", str(model_dir), "--output-dir", str(folder / "out"), "--epochs", "1"]
    flags += ["--topk", "1", "--folds", "0", "--precision", "fp32"]
    done = CliRunner().invoke(program, ["run", *flags])
    assert done.exit_code == 0, done.output
    return folder / "out"


@pytest.fixture
def visit(browser: Browser, run_folder: Path) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield Visit(context, run_folder / files.PAGE)
    context.close()


def ids(page: Page) -> list[str]:
    return page.locator("#questions-table tbody tr td:first-child").all_inner_texts()


def ranks(page: Page) -> list[float]:
    cells = page.locator("#questions-table tbody tr td:nth-child(5)").all_inner_texts()
    return [float(text) for text in cells]


def test_it_loads_without_an_error_and_asks_nothing_of_a_network(
    visit: Visit, run_folder: Path
) -> None:
    assert visit.errors == []
    outside = [url for url in visit.requests if not url.startswith(("file:", "data:"))]
    assert outside == []
    verdict = json.loads((run_folder / files.COMPARISON).read_text())["verdict"]
    assert verdict["text"]["en"] in visit.page.locator("#verdict").inner_text()
    # The verdict comes first on the page.
    assert visit.page.locator("main > *").first.get_attribute("id") == "verdict"


def test_nothing_foreign_runs(visit: Visit) -> None:
    for details in visit.page.locator("details").all():
        details.locator("summary").click()
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.locator("img").count() == 0
    assert visit.page.locator("script").count() == 2
    assert "<script>window.hacked" in visit.page.locator("#questions-table").inner_text()


def test_the_policy_stops_a_script_that_got_in(browser: Browser, run_folder: Path) -> None:
    source = (run_folder / files.PAGE).read_text(encoding="utf-8")
    broken = run_folder / "broken.html"
    broken.write_text(source.replace("<main>", f"<main>{HOSTILE}", 1), encoding="utf-8")
    context = browser.new_context()
    visit = Visit(context, broken)
    assert visit.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in error for error in visit.errors)
    context.close()


def test_it_sorts(visit: Visit) -> None:
    before = ids(visit.page)
    assert len(before) == 12
    button = visit.page.get_by_role("button", name="After")
    header = visit.page.locator("#questions-table th").nth(4)
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert ranks(visit.page) == sorted(ranks(visit.page))
    button.press("Enter")
    assert header.get_attribute("aria-sort") == "descending"
    assert ranks(visit.page) == sorted(ranks(visit.page), reverse=True)
    assert sorted(ids(visit.page)) == sorted(before)


def test_it_searches(visit: Visit) -> None:
    visit.page.fill("#search", 'Q07"')
    assert len(ids(visit.page)) == 1
    assert ids(visit.page)[0].startswith("q07")
    visit.page.fill("#search", "no such question")
    assert ids(visit.page) == []
    visit.page.fill("#search", "")
    assert len(ids(visit.page)) == 12


def test_it_opens_a_question_with_its_contexts(visit: Visit) -> None:
    details = visit.page.locator("details").first
    assert not details.locator("table").is_visible()
    details.locator("summary").press("Enter")
    assert details.locator("table").is_visible()
    assert "ground truth" in details.inner_text()
    assert details.locator("mark").count() > 0
    scores = details.locator("tbody td.n").all_inner_texts()
    assert all(re.fullmatch(r"-?\d\.\d{3}", score) for score in scores)


def test_a_link_in_the_table_leads_to_the_question(visit: Visit) -> None:
    link = visit.page.locator("#questions-table tbody a").first
    name = link.inner_text()
    link.click()
    opened = visit.page.locator("details[open]")
    # The page learns of the new address only after the click has returned.
    opened.first.wait_for(state="attached")
    assert opened.count() == 1
    assert opened.get_attribute("data-qa") == name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(
    browser: Browser, run_folder: Path, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True
    )
    page = Visit(context, run_folder / files.PAGE).page
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(20, 23, 26)") == (scheme == "dark")
    context.close()


def test_print_has_no_controls_and_opens_every_question(visit: Visit) -> None:
    visit.page.emulate_media(media="print")
    assert not visit.page.locator("#search").is_visible()
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    closed = visit.page.locator("details:not([open])")
    assert closed.count() == 0
    assert len(visit.page.pdf()) > 10_000


def test_it_says_why_it_shipped_and_how_to_run_it_again(visit: Visit, run_folder: Path) -> None:
    text = visit.page.locator("main").inner_text()
    shipped = json.loads((run_folder / files.RUN).read_text())["shipped"]
    assert shipped["reason"]["en"] in text
    for candidate in shipped["candidates"]:
        assert candidate["name"] in text
    assert "stage2 run --output-dir" in text
    assert "SHA-256" in text


def test_chinese(browser: Browser, run_folder: Path) -> None:
    folder = run_folder.with_name("zh")
    shutil.copytree(run_folder, folder)
    done = CliRunner().invoke(program, ["report", "--output-dir", str(folder), "--language", "zh"])
    assert done.exit_code == 0, done.output
    context = browser.new_context()
    visit = Visit(context, folder / files.PAGE)
    assert visit.errors == []
    assert visit.page.locator("html").get_attribute("lang") == "zh-CN"
    assert "每个问题" in visit.page.locator("main").inner_text()
    context.close()


def test_json_has_what_the_page_shows(run_folder: Path) -> None:
    facts = files.read_json(run_folder / files.REPORT_JSON)
    assert len(facts["questions"]) == 12
    assert facts["verdict"]["word"] in ("better", "no_evidence", "worse")


def test_the_command_to_run_it_again_makes_the_same_settings(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """This includes settings with the program's default if `stage2 run` has another default."""
    data = [str(word) for name, path in corpus.items() for word in (f"--{name}", path)]
    flags = ["--model", str(model_dir), "--topk", "1", "--epochs", "1", "--folds", "0"]
    first, second = tmp_path / "first", tmp_path / "second"
    preset = ["run", "--preset", "reference", *data, *flags, "--output-dir", str(first)]
    assert CliRunner().invoke(program, preset).exit_code == 0
    words = shlex.split(command_line(read_run(first)))
    assert words[:2] == ["stage2", "run"]
    words[words.index(str(first))] = str(second)
    assert CliRunner().invoke(program, words[1:]).exit_code == 0
    settings = [read_toml(str(folder / files.SETTINGS)) for folder in (first, second)]
    assert settings[0].pop("output_dir") != settings[1].pop("output_dir")
    assert settings[0] == settings[1]
