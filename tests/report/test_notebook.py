"""A notebook shows the verdict and the figures of a run folder."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stage2.report.notebook import notebook_html
from stage2.report.page_words import PAGE_WORDS
from stage2.report.run import Run, read_run


def inside(run: Run, language: str = "en") -> str:
    """Return the document in the frame."""
    found = re.fullmatch(
        r'<iframe sandbox srcdoc="([^"]*)" style="[^"]*"></iframe>', notebook_html(run, language)
    )
    assert found is not None
    assert "<" not in found[1]
    return html.unescape(found[1])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_frame_has_the_verdict_and_the_figures(finished: Path, language: str) -> None:
    run = read_run(finished)
    page = inside(run, language)
    assert run.comparison["verdict"]["text"][language] in html.unescape(page)
    assert re.findall(r'<svg id="(\w+)-picture"', page) == ["bars", "ranks", "scores", "curves"]
    assert "<script" not in page
    # A point has its question as name, and leads nowhere: the questions are not in the frame.
    assert "<a " not in page
    assert page.count(" → ") >= 12
    assert PAGE_WORDS[language]["ranks_lead"] not in page


def test_foreign_text_is_escaped(finished: Path) -> None:
    run = read_run(finished)
    verdict = run.comparison["verdict"] | {"text": {"en": "</p><script>alert(1)</script>\"'"}}
    page = inside(replace(run, comparison=run.comparison | {"verdict": verdict}))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_an_empty_folder_has_no_verdict(tmp_path: Path) -> None:
    page = inside(read_run(tmp_path))
    assert "<svg" not in page
    assert '<section class="verdict ">' in page
