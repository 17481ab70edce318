"""Numbers as text, and zero without a sign wherever a report has numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from stage2.evaluation.compare import QuestionSet, compare
from stage2.report import numbers
from stage2.report.model_card import model_card
from stage2.report.render import write_report
from stage2.report.run import read_run
from stage2.report.terminal import table
from stage2.report.verdict import sentences
from stage2.report.words import CATALOGS
from stage2.utils import files
from tests.comparisons import scored
from tests.report.folders import Make
from tests.small import write_jsonl


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.counted(0.1, 50), "10.0% (5/50)"),
        (numbers.counted(1 / 6, 4), "16.7% (0.7/4)"),
        (numbers.change(0.0998, 0.0527), "−47.2%"),
        (numbers.change(0.0, 0.1), "–"),
        (numbers.points(-0.0001), "0.0 pp"),
        (numbers.points(-0.1), "−10.0 pp"),
        (numbers.difference(0.5, 0.4), "−0.100"),
        (numbers.decimals(-0.0001, 0.4204), "0.000–0.420"),
        (numbers.size(1023), "1023 B"),
        (numbers.size(500_000_000), "476.8 MiB"),
        (numbers.size(5 << 30), "5.0 GiB"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize("value", [-0.0004, -1e-12, -0.0, 0.0])
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    assert numbers.signed(value) == "0.000"
    assert numbers.decimal(value) == "0.000"
    assert numbers.percent(value / 100) == "0.0%"
    assert numbers.points(value / 100) == "0.0 pp"
    assert numbers.change(1.0, 1.0 + value / 100) == "0.0%"
    assert numbers.span(value / 100, 0.5) == "0–50%"


def test_other_numbers_are_as_they_were() -> None:
    assert numbers.signed(-0.0006) == "−0.001"
    assert numbers.change(0.0998, 0.0527) == "−47.2%"


# A sign before a number whose digits are all 0.
SIGNED_ZERO = re.compile(r"[-−+]0(\.0+)?(?![\d.])")


def almost_equal() -> dict[str, Any]:
    """Return the comparison of a model with itself, its differences a little below zero."""
    rows, same = np.arange(20), {"corpus": scored([[0.9, 0.1]] * 20)}
    comparison = compare(same, same, [QuestionSet("test", rows, True)], rows, seed=0)
    for key in ("mrr", "ndcg10"):
        tiny = {"difference": -1e-5, "low": -4e-4, "high": -1e-7}
        comparison["sets"][0]["statistics"][key] |= tiny
    comparison["sets"][0]["after"]["top1"] -= 1e-6
    return comparison | {"embedding_dim": 8}


@pytest.mark.parametrize("language", CATALOGS)
def test_no_zero_has_a_sign_in_anything_that_people_read(make: Make, language: str) -> None:
    comparison = almost_equal()
    comparison["verdict"]["text"] = sentences(comparison)
    folder = make(comparison=comparison)
    evaluated = {"qa_id": "q", "question": "?", "similarities": {"0": -1e-5, "1": -2e-5},
                 "consistency_metrics": {"expected_rank": 1.0}}  # fmt: skip
    for name in (files.EVALUATION, files.EVALUATION_AFTER):
        files.write_json(folder / name, [evaluated])
    write_jsonl(folder / files.CONSTRUCTED, [{"qa_id": "q", "question": "?",
                "ground_truth_contexts": ["a"], "negative_contexts": ["b"]}])  # fmt: skip
    report = write_report(folder, language)
    page = (folder / files.PAGE).read_text("utf-8").partition("<main>")[2].partition("<script")[0]
    # Paths and the turning of texts in SVG are for no reader.
    page = re.sub(r"<(?!title)[^>]*>", " ", page)
    read = {
        "terminal": table(comparison, language),
        "markdown": report.read_text("utf-8"),
        "page": page,
        "card": model_card(read_run(folder)),
    }
    assert {
        name: found for name, text in read.items() if (found := SIGNED_ZERO.findall(text))
    } == {}
    assert all("0.000" in text for text in read.values())
