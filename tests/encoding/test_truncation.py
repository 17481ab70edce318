"""Counts of the tokens that a model does not see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2 import ProbabilisticGBERTV4
from stage2.encoding import truncation
from stage2.encoding.truncation import Account, Seen, account_of, facts, seen_of
from stage2.report.messages import seen_by_model
from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import WORDS, write_jsonl


def test_tokens_past_the_limit_and_unknown_ones_are_counted(model: ProbabilisticGBERTV4) -> None:
    model.max_length = 6  # two are special tokens
    words = WORDS[:4]
    texts = [" ".join(words), " ".join((*words, "ship", "sea", "xyzzy")), "xyzzy", ""]
    found = account_of(model, texts, 9, "query")
    assert found == Account(
        texts=9, counted=4, max_length=6, cut=1, tokens=4 + 7 + 1, lost=3, unknown=2
    )
    assert found.lost_share == 3 / 12


def test_the_part_that_is_read_ends_with_its_last_token(model: ProbabilisticGBERTV4) -> None:
    model.max_length = 6  # two are special tokens
    text = " ".join((*WORDS[:4], "ship", "sea"))
    whole, cut, empty = seen_of(model, [" ".join(WORDS[:4]), text, ""], "document")
    assert whole == Seen(0, len(" ".join(WORDS[:4])), 4, 0)
    assert text[cut.start : cut.stop] == " ".join(WORDS[:4])
    assert (cut.tokens, cut.lost, cut.lost_share) == (6, 2, 2 / 6)
    assert empty == Seen(0, 0, 0, 0)
    assert empty.known


def test_the_tokenizer_is_left_as_it_was(model: ProbabilisticGBERTV4) -> None:
    text = " ".join(WORDS)
    before = model.encode([text]).mu
    model.tokenizer(text, truncation=True, max_length=5)
    limit = model.tokenizer.backend_tokenizer.truncation
    account_of(model, [text], 1, "document")
    assert model.tokenizer.backend_tokenizer.truncation == limit
    assert (model.encode([text]).mu == before).all()


def test_shares_are_written() -> None:
    account = Account(texts=3, counted=3, max_length=8, cut=1, tokens=100, lost=10, unknown=60)
    assert facts({"chunks": account})["chunks"]["unknown_share"] == 0.6


def test_of_many_texts_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncation, "SAMPLE", 3)
    assert truncation.spread(7).tolist() == [0, 3, 6]
    assert truncation.spread(3).tolist() == [0, 1, 2]
    account = Account(texts=7, counted=3, max_length=8, cut=1, tokens=9, lost=0, unknown=0)
    assert "3 looked at, of 7" in seen_by_model("chunks", account)


def test_it_is_said_and_written_whether_vectors_are_cached_or_not(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    header = " ".join(WORDS * 4)
    rows = [chunk | {"text": f"{header} {chunk['text']}"} for chunk in read_jsonl(corpus["chunks"])]
    data = corpus | {"chunks": write_jsonl(tmp_path / "chunks.jsonl", rows)}
    del data["entities"]
    for out in ("first", "again"):
        done = stage2(
            "mine", *data_flags(data), "--model", model_dir, "--output-dir", tmp_path / out,
            "--embedding-cache", tmp_path / "cache",
        )  # fmt: skip
        assert "questions (12): 0 are cut at 64 tokens, 0.0% of all tokens are lost" in done.stderr
        assert "chunks (20): 20 are cut at 64 tokens" in done.stderr
        assert "of the chunks' tokens lie past the limit of 64" in done.stderr
        texts = json.loads((tmp_path / out / files.RUN).read_text())["texts"]
        assert texts["chunks"]["cut"] == 20
        assert texts["questions"]["lost"] == 0
    for language, said in (("en", "20 of 20 cut at 64 tokens"), ("zh", "20 个中有 20 个在 64 ")):
        stage2("report", "--output-dir", tmp_path / "first", "--language", language)
        report = (tmp_path / "first" / files.REPORT).read_text()
        assert said in report
        assert ("more than a tenth" if language == "en" else "超过十分之一") in report
