"""Who a teacher is, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from stage2.cli.teachers import (
    KINDS,
    CrossEncoderTeacher,
    DataTeacher,
    EmbeddingTeacher,
    load_teacher,
)
from stage2.config import Settings
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests import sentence_models
from tests.conftest import Stage2, read_jsonl
from tests.small import make_cross_encoder, write_jsonl
from tests.teaching import make_chat_reranker, write_mined

FLAGS = ["--split", "none", "--epochs", 1, "--precision", "fp32"]


@pytest.fixture
def mined(tmp_path: Path) -> Path:
    return write_mined(tmp_path / "mined.jsonl", scores=True)


def test_the_first_kind_that_holds_a_name_is_the_teachers(
    cross_encoder: Path, model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    def kind(name: str) -> Any:
        return next(one for one in KINDS if one.holds(name))

    assert kind("data") is DataTeacher
    assert kind(str(cross_encoder)) is CrossEncoderTeacher
    assert kind(str(make_chat_reranker(backbone, tmp_path / "chat"))) is CrossEncoderTeacher
    assert kind(str(model_dir)) is kind(str(backbone)) is EmbeddingTeacher
    assert len({one.kind for one in KINDS}) == len(KINDS)


def test_teachers_that_cannot_teach_are_refused(
    stage2: Stage2, mined: Path, model_dir: Path, backbone: Path, cross_encoder: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    two = make_cross_encoder(backbone, tmp_path / "two", outputs=2)
    chat = make_chat_reranker(backbone, tmp_path / "chat", template=None)
    bare = write_mined(tmp_path / "bare.jsonl")
    far = sentence_models.write_model(sentence_models.KINDS["euclidean distance"], tmp_path / "far")
    vectors = ["--loss", "similarity-mse"]
    margins = ["--loss", "margin-mse"]
    for data, flags, said in [
        (mined, [*margins, "--teacher", two], "2 outputs; expected one"),
        (mined, [*margins, "--teacher", tmp_path / "no"], f"--teacher {tmp_path / 'no'}: cannot"),
        (mined, [*margins, "--teacher", bare], f"--teacher {bare}: is no folder"),
        (mined, [*margins, "--teacher", tmp_path], "neither modules.json nor config.json"),
        (mined, [*margins, "--teacher", chat], "a language model without a chat template"),
        (bare, [*margins, "--teacher", "data"], f"{bare} has no scores of a teacher"),
        (mined, vectors, "needs the vectors of a teacher"),
        (mined, [*vectors, "--teacher", "data"], "--teacher data gives scores of pairs alone"),
        (mined, [*vectors, "--teacher", cross_encoder], "gives scores of pairs alone"),
        (mined, [*vectors, "--teacher", model_dir], "nothing to learn from its own vectors"),
        (mined, [*vectors, "--teacher", far], "compared by euclidean distance, and --loss simil"),
        (mined, ["--loss", "margin", "--teacher", "data"], "it works with --loss margin-mse,"),
        (mined, [*margins, "--teacher", "data", "--margin", 0.2], "it works without --teacher"),
        (mined, [*margins, "--teacher-scale", 2], "it works with --teacher DIR|ID|data"),
        (mined, [*margins, "--teacher", "data", "--teacher-scale", 0], "--teacher-scale"),
    ]:
        result = stage2("train", "--data", data, "--model", model_dir, *FLAGS, *flags, exit_code=2)
        assert said in result.stderr, flags
        assert not (tmp_path / "out").exists()


def test_a_missing_score_is_named(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    rows = read_jsonl(mined)
    del rows[2]["neg_scores"]
    some = write_jsonl(tmp_path / "some.jsonl", rows)
    flags = ["--model", model_dir, *FLAGS, "--loss", "distill-kl", "--teacher", "data"]
    said = stage2("train", "--data", some, *flags, exit_code=2).stderr
    assert "3 of 32 candidates of the training questions have no score in" in said
    assert "the first is the chunk '" in said
    settings = Settings(data=str(mined), loss="distill-kl", teacher="data", source="corpus")
    nothing: Any = None
    with pytest.raises(BadInputError, match="mines other negatives than those that the data have"):
        load_teacher(settings, nothing, {}, np.arange(8))
    assert not (tmp_path / "out").exists()


def test_the_model_itself_is_its_teacher_as_without_one(
    stage2: Stage2, mined: Path, model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--data", mined, "--model", model_dir, *FLAGS, "--loss", "margin-mse"]
    result = stage2("train", *flags, "--teacher", model_dir)
    assert "is the model that is trained: the teacher is the model before" in result.stderr
    assert "teacher" not in (tmp_path / "out" / "settings.toml").read_text(encoding="utf-8")
    record = files.read_json(tmp_path / "out" / files.RUN)
    assert "teacher" not in record
    assert record["stages"]["train"]["made_from"].get("teacher_scale") is None
    assert not (tmp_path / "out" / files.TEACHER_SCORES).exists()


def test_a_dry_run_counts_the_teachers_work(
    stage2: Stage2, mined: Path, model_dir: Path, cross_encoder: Path, backbone: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    transformers.logging.set_verbosity_error()
    flags = ["--data", mined, "--model", model_dir, *FLAGS, "--loss", "margin-mse", "--dry-run"]
    for teacher, said in [
        (cross_encoder, "pairs for the teacher"),
        (backbone, "texts to embed, by the teacher"),
    ]:
        assert said in stage2("train", *flags, "--teacher", teacher).stdout
    assert "teacher" in stage2("train", *flags, "--teacher", "data").stdout
    assert not (tmp_path / "out").exists()
