"""The page with long texts and ids, and with marks that change the reading direction."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stage2.report import excerpt
from stage2.report.excerpt import cut, cut_pieces
from stage2.report.render import write_report
from stage2.utils import files
from tests.comparisons import held_out_comparison
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl

LEFT_OUT = "{count} more characters"
TURNED = "\u202e59.0\u2066"


def test_what_is_left_out_is_told() -> None:
    assert cut("abc", 3, LEFT_OUT) == "abc"
    assert cut("a" * 2003, 3, LEFT_OUT) == "aaa… [2,000 more characters]"
    pieces = [("ab", False), ("cde", True), ("fgh", False)]
    assert cut_pieces(pieces, 8, LEFT_OUT) == pieces
    told = ("… [4 more characters]", False)
    assert cut_pieces(pieces, 4, LEFT_OUT) == [("ab", False), ("cd", True), told]
    assert cut_pieces([("", False)], 4, LEFT_OUT) == []


def folder_of(path: Path, rows: int, size: int) -> Path:
    """Write a run folder whose ids, questions and contexts have `size` characters."""
    path.mkdir()
    long = TURNED + "x" * size
    questions = [{"qa_id": f"{i}{long}", "question": f"{long} {i}"} for i in range(rows)]
    evaluated: list[dict[str, Any]] = [
        row
        | {
            "similarities": {str(place): -0.0001 * place for place in range(60)},
            "consistency_metrics": {"expected_rank": 3.0},
        }
        for row in questions
    ]
    others = [f"{long}{i}" for i in range(59)]
    contexts = {"ground_truth_contexts": [long], "negative_contexts": others}
    samples = [row | contexts for row in questions]
    files.write_json(path / files.EVALUATION, evaluated)
    files.write_json(path / files.EVALUATION_AFTER, evaluated)
    write_jsonl(path / files.CONSTRUCTED, samples)
    files.write_json(path / files.COMPARISON, held_out_comparison())
    return path


def test_the_page_is_small_whatever_the_texts_are(tmp_path: Path) -> None:
    out = folder_of(tmp_path / "out", rows=1, size=1_000_000)
    for language, said in (("en", "more characters"), ("zh", "个字符")):
        write_report(out, language)
        page = (out / files.PAGE).read_text(encoding="utf-8")
        assert len(page) < 200_000
        assert said in page
        assert ("30 more candidates" if language == "en" else "另有 30 个名次更低的候选") in page
    assert len(json.loads((out / files.REPORT_JSON).read_text())["questions"][0]["id"]) > 1_000_000


def test_foreign_text_stands_by_itself(tmp_path: Path) -> None:
    """Text that could change the direction of a number stands only in elements that isolate it."""
    write_report(folder_of(tmp_path / "out", rows=2, size=3))
    page = (tmp_path / "out" / files.PAGE).read_text(encoding="utf-8")
    assert TURNED in page
    shown = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    # Attributes are not displayed.
    shown = re.sub(r'data-qa="[^"]*"', "", re.sub(r"<bdi>.*?</bdi>", "", shown, flags=re.DOTALL))
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)
    assert 'document.createElement("bdi")' in page
    assert "-0.000" not in page
    report = (tmp_path / "out" / files.REPORT).read_text(encoding="utf-8")
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", report)


def test_names_with_marks_are_escaped_in_the_command(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    turned = tmp_path / f"qa{TURNED}.jsonl"
    turned.write_bytes(corpus["qa"].read_bytes())
    flags = ["--model", model_dir, "--epochs", 1, "--folds", 0]
    stage2("run", *data_flags(corpus | {"qa": turned}), *flags)
    page = (tmp_path / "out" / files.PAGE).read_text(encoding="utf-8")
    assert r"qa\u202e59.0\u2066.jsonl" in page
    assert TURNED not in page
    assert excerpt.ROWS > 1000


def mined(stage2: Stage2, corpus: dict[str, Path], model_dir: Path, *flags: object) -> str:
    call = ["mine", *data_flags(corpus), "--model", model_dir, "--source", "corpus", *flags]
    return stage2(*call).stderr


def test_reasons_agree_with_the_numbers(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    said = mined(stage2, corpus, model_dir, "--max-score", -2)
    summary = json.loads((tmp_path / "out" / files.MINING_SUMMARY).read_text())
    below = summary["num_below_topk"]
    assert below > summary["num_hard"] == 0
    assert f"; {below} more have no negative" in said
    assert f"no hard example: {below} ground truths rank below the top 3" in said
    assert "every ground truth ranks" not in said
    refused = stage2("train", "--model", model_dir, exit_code=2).stderr
    assert f"{below} ground truths rank below the top 3" in refused
    for language, told in (("en", "more questions rank below"), ("zh", "排在前 3 名之外")):
        stage2("report", "--language", language)
        report = (tmp_path / "out" / files.REPORT).read_text()
        assert told in report
        assert "No question is hard" not in report
        assert "没有难例。" not in report


def test_a_window_past_the_corpus_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    call = ["mine", *data_flags(corpus), "--model", model_dir, "--source", "corpus"]
    refused = stage2(*call, "--range-min", 19, exit_code=2).stderr
    assert "the window lies past the corpus" in refused
    assert "below 19" in refused
    assert not (tmp_path / "out").exists()
    assert len(read_jsonl(corpus["chunks"])) == 20
    assert "5 negatives, 0 of them none" in mined(
        stage2, corpus, model_dir, "--range-min", 18, "--max-score", 2
    )


def test_of_many_questions_the_first_are_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stage2.report.page.ROWS", 2)
    write_report(folder_of(tmp_path / "out", rows=3, size=1))
    page = (tmp_path / "out" / files.PAGE).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found is not None
    rows = json.loads(found[1])["rows"]
    assert [row["href"] for row in rows] == ["#hard-1", "#hard-2"]
    assert "The first 2 of 3 questions" in page
