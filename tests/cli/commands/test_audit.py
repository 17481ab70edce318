"""The audit of negatives: each check on data made to trip it, and what dropping leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from stage2._core import Dataset, Samples
from stage2.mining.audit import CHECKS, Evidence, audit, with_negatives
from stage2.models.cross_encoder import CrossEncoder, cross_encoder_hash
from stage2.utils import files
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.small import write_jsonl

TRUTH = (
    "The Count of Monte Cristo sailed from Marseilles to Elba with a letter for the marshal, "
    "and came back rich: he had found the treasure that an abbot told him of in prison."
)
NEARLY = TRUTH.replace("letter", "parcel")
OTHERS = ("A lantern in the night.", "The key to the stone door.", "A merchant with a diamond.")


def sample(negatives: list[tuple[str, str]], **changes: Any) -> dict[str, Any]:
    return {
        "question": "Where did he sail?",
        "ground_truth_contexts": [TRUTH],
        "negative_contexts": [text for _, text in negatives],
        "qa_id": "q0",
        "gt_chunk_id": "c0",
        "gt_chunk_ids": ["c0"],
        "negative_chunk_ids": [name for name, _ in negatives],
        "answer": "Elba",
    } | changes


def plain(count: int) -> list[tuple[str, str]]:
    return [(f"n{i}", OTHERS[i]) for i in range(count)]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Samples]:
    return lambda *rows: Samples.load_jsonl(write_jsonl(tmp_path / "data.jsonl", list(rows)))


def found(samples: Samples, evidence: Evidence | None = None) -> set[tuple[str, str, int | None]]:
    rows = audit(samples, evidence).rows()
    return {(row["qa_id"], row["check"], row["position"]) for row in rows}


@pytest.mark.parametrize(
    ("negative", "checks"),
    [
        (("c0", OTHERS[2]), {"positive"}),
        (("n9", TRUTH.upper().replace(" ", "\n")), {"positive", "contains_answer"}),
        (("n9", NEARLY), {"near_duplicate", "contains_answer"}),
        (("n9", "It lies off ELBA."), {"contains_answer"}),
        (("n9", "Elbasan is far."), set()),
        (("n1", OTHERS[2]), {"repeated"}),
        (("n9", OTHERS[1].lower()), {"repeated"}),
        (("n9", OTHERS[2]), set()),
    ],
)
def test_each_check_of_texts(
    load: Callable[..., Samples], negative: tuple[str, str], checks: set[str]
) -> None:
    samples = load(sample([*plain(2), negative]))
    assert found(samples) == {("q0", check, 3) for check in checks}


def test_a_ground_truth_of_a_question_with_the_same_text_is_no_negative(
    load: Callable[..., Samples],
) -> None:
    other = {"qa_id": "q1", "question": "where did he  SAIL？", "gt_chunk_id": "n1",
             "gt_chunk_ids": ["n1"], "ground_truth_contexts": [OTHERS[1]]}  # fmt: skip
    samples = load(sample(plain(2)), sample([("n5", "By night."), ("n6", "At sea.")], **other))
    assert found(samples) == {("q0", "short_list", None)}
    assert samples.context_ids.take(np.asarray(samples.candidates)) == [
        "c0", "n1", "n0", "n1", "c0", "n5", "n6",
    ]  # fmt: skip
    assert any("1 negatives are ground truths" in warning for warning in samples.warnings)


def test_a_short_list_is_told_against_the_longest_or_against_what_was_asked(
    load: Callable[..., Samples],
) -> None:
    samples = load(sample(plain(2)), sample(plain(3), qa_id="q1", question="Who?"))
    assert found(samples) == {("q0", "short_list", None)}
    assert found(samples, Evidence(negatives=2)) == set()
    assert len(found(samples, Evidence(negatives=4))) == 2


def test_titles_tell_siblings(tmp_path: Path) -> None:
    chunks = [
        {"chunk_id": "a", "text": "first part", "title": "Elba"},
        {"chunk_id": "b", "text": "second part", "title": "Elba"},
        {"chunk_id": "c", "text": "no title"},
    ]
    qa = [{"qa_id": "q", "question": "what", "chunk_id": "a"},
          {"qa_id": "r", "question": "who", "chunk_id": "c"}]  # fmt: skip
    dataset = Dataset.load(
        write_jsonl(tmp_path / "qa.jsonl", qa), write_jsonl(tmp_path / "chunks.jsonl", chunks)
    )
    samples = dataset.construct(2)
    evidence = Evidence(titles=dataset.chunk_titles)
    ids = samples.context_ids.take(np.asarray(samples.candidates)[:3])
    assert found(samples, evidence) == {("q", "sibling", ids.index("b"))}
    assert "sibling" in audit(samples).not_checked


def test_scores_above_the_lowest_ground_truth_and_scores_that_are_none(
    load: Callable[..., Samples],
) -> None:
    truths = {"ground_truth_contexts": [TRUTH, "By sea."], "gt_chunk_ids": ["c0", "c1"]}
    samples = load(sample(plain(3), **truths))
    scores = np.asarray([0.9, 0.5, 0.6, 0.5, np.nan], np.float32)
    assert found(samples, Evidence(scores=scores)) == {
        ("q0", "model_above", 2), ("q0", "not_finite", 4),
    }  # fmt: skip
    cross = Evidence(cross_scores=np.asarray([2, 1, 0.8, 0.7, 0], np.float32), cross_margin=0.25)
    assert found(samples, cross) == {("q0", "cross_encoder_above", 2)}
    assert audit(samples, cross).false_negatives.tolist() == [False, False, True, False, False]


def test_symbols_tell_negatives_from_ground_truths(load: Callable[..., Samples]) -> None:
    """What differs in a sign, or in the name of a language, is another answer."""
    pairs = [
        ("The charge is +2.", "The charge is -2."),
        ("It was made for C++.", "It was made for C#."),
        ("5 is > 3", "5 is < 3"),
        ("x² is even", "x2 is even"),
    ]
    rows = [
        sample([("n", negative)], qa_id=str(i), question=f"Question {i}?", answer=truth,
               ground_truth_contexts=[truth])
        for i, (truth, negative) in enumerate(pairs)
    ]  # fmt: skip
    assert found(load(*rows)) == set()


def test_questions_that_differ_in_a_symbol_are_two(load: Callable[..., Samples]) -> None:
    rows = [
        sample([("n", "About nothing.")], qa_id=name, question=f"Who made {name}?", answer="",
               ground_truth_contexts=[f"{name} was made by {who}."], gt_chunk_id=name,
               gt_chunk_ids=[name])
        for name, who in (("C++", "Bjarne Stroustrup"), ("C#", "Anders Hejlsberg"))
    ]  # fmt: skip
    samples = load(*rows)
    assert samples.num_relevant.tolist() == [1, 1]
    assert not samples.warnings


def test_answers_of_every_row_of_a_question_are_looked_for(load: Callable[..., Samples]) -> None:
    truths = {"ground_truth_contexts": ["By sea."], "gt_chunk_ids": ["s"], "gt_chunk_id": "s"}
    negatives = [*plain(2), ("n9", "They found diamonds at night.")]
    samples = load(sample(negatives), sample(negatives, qa_id="q1", answer="diamonds", **truths))
    assert found(samples) == {
        ("q0", "contains_answer", 4), ("q1", "contains_answer", 4),
    }  # fmt: skip


def test_the_summary_counts_the_rows(load: Callable[..., Samples]) -> None:
    result = audit(load(sample([("c0", TRUTH), ("n9", NEARLY), ("n9", NEARLY)])))
    summary, rows = result.summary(), list(result.rows())
    counts = {check["name"]: check["count"] for check in summary["checks"]}
    assert counts == {check: sum(row["check"] == check for row in rows) for check in counts}
    assert counts["contains_answer"] == 3
    assert counts["near_duplicate"] == 2
    assert summary["false_negatives"] == 3
    names = {check.name for check in CHECKS}
    assert set(counts) | set(summary["not_checked"]) == names
    assert all(set(check["meaning"]) == {"en", "zh"} for check in summary["checks"])


def test_audit_prints_a_table_and_strict_fails(stage2: Stage2, tmp_path: Path) -> None:
    clean = write_jsonl(tmp_path / "clean.jsonl", [sample(plain(3))])
    result = stage2("audit", "--data", clean, "--strict")
    assert "near_duplicate" in result.stdout
    out = tmp_path / "out"
    assert (out / files.AUDIT_ROWS).read_text() == ""

    false = write_jsonl(tmp_path / "false.jsonl", [sample([*plain(2), ("n9", NEARLY)])])
    result = stage2("audit", "--data", false, "--overwrite", "--language", "zh")
    assert "近似重复" in result.stdout
    result = stage2("audit", "--data", false, "--overwrite", "--strict", exit_code=1)
    assert "2 findings" in result.stderr
    assert json.loads((out / files.AUDIT).read_text())["false_negatives"] == 1


def test_hints_do_not_fail_strict(stage2: Stage2, model_dir: Path, tmp_path: Path) -> None:
    rows = [sample([(f"n{i}", text) for i, text in enumerate(OTHERS)], qa_id=f"q{i}",
                   question=question) for i, question in enumerate(OTHERS)]  # fmt: skip
    data = write_jsonl(tmp_path / "data.jsonl", rows)
    stage2("audit", "--data", data, "--model", model_dir, "--strict")
    kinds = {row["check"] for row in read_jsonl(tmp_path / "out" / files.AUDIT_ROWS)}
    assert kinds == {"model_above"}


def test_the_scores_of_the_folder_are_used(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus))
    out = tmp_path / "out"
    mined = (out / files.AUDIT_ROWS).read_bytes()
    assert b"model_above" in mined
    stage2("audit")
    assert (out / files.AUDIT_ROWS).read_bytes() == mined


@pytest.mark.parametrize("keep_some", [True, False])
def test_dropping_leaves_false_negatives_out_of_training_only(
    stage2: Stage2, model_dir: Path, tmp_path: Path, keep_some: bool
) -> None:
    easy = plain(3) if keep_some else []
    data = write_jsonl(tmp_path / "data.jsonl", [sample([("n8", NEARLY), *easy])])
    flags = ["--data", data, "--model", model_dir, "--topk", 1]
    assert "--drop-false-negatives" in stage2("mine", *flags).stderr
    out = tmp_path / "out"
    whole = read_jsonl(out / files.HARD)
    measured = (out / files.EVALUATION).read_bytes()
    assert whole[0]["negative_chunk_ids"][0] == "n8"
    stage2("mine", *flags, "--drop-false-negatives", "--overwrite")
    left = read_jsonl(out / files.HARD)
    assert (out / files.EVALUATION).read_bytes() == measured
    if keep_some:
        assert left == [sample(easy)]
    else:
        assert left == []


def test_run_drops_in_training(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--topk", 1, "--split", "none",
             "--folds", 0, "--epochs", 1, "--loss", "margin", "--train-on", "hard"]  # fmt: skip
    stage2("run", *flags, "--output-dir", tmp_path / "kept")
    stage2("run", *flags, "--drop-false-negatives", "--output-dir", tmp_path / "dropped")
    kept, dropped = (
        {name: read_jsonl(tmp_path / folder / name) for name in (files.TRAINING_LOG, files.HARD)}
        for folder in ("kept", "dropped")
    )
    assert kept[files.TRAINING_LOG][0]["dev"] == dropped[files.TRAINING_LOG][0]["dev"]
    assert kept[files.TRAINING_LOG][1]["loss"] != dropped[files.TRAINING_LOG][1]["loss"]
    for row in dropped[files.HARD]:
        assert not any(row["answer"] in text.split() for text in row["negative_contexts"])
    assert (tmp_path / "kept" / files.EVALUATION).read_bytes() == (
        tmp_path / "dropped" / files.EVALUATION
    ).read_bytes()


def test_with_negatives_counts_what_is_left() -> None:
    offsets, relevant = np.asarray([0, 3, 5]), np.asarray([1, 1])
    dropped = np.asarray([False, True, False, False, True])
    assert with_negatives(offsets, relevant, dropped).tolist() == [True, False]


@pytest.fixture(scope="module")
def cross_encoder(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cross_encoder(backbone, tmp_path_factory.mktemp("cross"), outputs=1)


def make_cross_encoder(backbone: Path, folder: Path, outputs: int) -> Path:
    """A sequence classifier with random weights over the tiny BERT's vocabulary."""
    config = transformers.AutoConfig.from_pretrained(backbone, num_labels=outputs)
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    return folder


def test_cross_encoder_scores_are_those_of_one_pair_at_a_time(
    cross_encoder: Path, corpus: dict[str, Path]
) -> None:
    scorer = CrossEncoder.load(str(cross_encoder), torch.device("cpu"))
    texts = [row["text"] for row in read_jsonl(corpus["chunks"])]
    questions = [row["question"] for row in read_jsonl(corpus["qa"])]
    pairs = [(questions[i % 12], texts[i]) for i in range(20)]
    pairs[3] = (pairs[3][0], " ".join(texts))
    scores = scorer.score(*map(list, zip(*pairs, strict=True)), precision="fp32")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(cross_encoder)
    for score, pair in zip(scores.tolist(), pairs, strict=True):
        tokens = scorer.tokenizer(*pair, truncation=True, max_length=64, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**tokens).logits.item()
        assert score == pytest.approx(expected, abs=1e-5)
    assert np.ptp(scores) > 0


def test_weights_in_several_files_are_told_apart(cross_encoder: Path, tmp_path: Path) -> None:
    """The path alone would not tell that a model was replaced."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(cross_encoder)
    hashes = []
    for more in (0.0, 0.1):
        with torch.no_grad():
            model.classifier.bias += more
        model.save_pretrained(tmp_path / "model", max_shard_size="20KB")
        assert not (tmp_path / "model" / "model.safetensors").exists()
        hashes.append(cross_encoder_hash(str(tmp_path / "model")))
    assert len(set(hashes)) == 2
    assert [len(digest) for digest in hashes] == [64, 64]
    assert cross_encoder_hash("owner/name") == "owner/name"


def test_mining_with_a_cross_encoder_records_its_scores_and_drops_by_them(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, cross_encoder: Path, tmp_path: Path
) -> None:
    stage2("mine", "--model", model_dir, *data_flags(corpus), "--cross-encoder", cross_encoder,
           "--drop-false-negatives")  # fmt: skip
    out = tmp_path / "out"
    scores = {row["qa_id"]: row["scores"] for row in read_jsonl(out / files.CROSS_SCORES)}
    assert len(scores) == 12
    above = {
        (qa_id, place)
        for qa_id, row in scores.items()
        for place, score in enumerate(row)
        if score > row[0]
    }
    rows = read_jsonl(out / files.AUDIT_ROWS)
    told = {(row["qa_id"], row["position"]) for row in rows
            if row["check"] == "cross_encoder_above"}  # fmt: skip
    assert told == above
    constructed = {row["qa_id"]: row for row in read_jsonl(out / files.CONSTRUCTED)}
    for row in read_jsonl(out / files.HARD):
        before = constructed[row["qa_id"]]["negative_chunk_ids"]
        false = {r["chunk_id"] for r in rows if r["qa_id"] == row["qa_id"]
                 and r["check"] in ("cross_encoder_above", "contains_answer")}  # fmt: skip
        assert row["negative_chunk_ids"] == [name for name in before if name not in false]


def test_what_is_no_cross_encoder_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    two = make_cross_encoder(backbone, tmp_path / "two", outputs=2)
    for folder, said in [(two, "2 outputs"), (tmp_path / "none", "no such folder")]:
        result = stage2("mine", "--model", model_dir, *data_flags(corpus), "--cross-encoder",
                        folder, exit_code=2)  # fmt: skip
        assert said in result.stderr
        assert not (tmp_path / "out").exists()
    config = json.loads((backbone / "config.json").read_text()) | {"id2label": {"0": "score"}}
    headless = tmp_path / "headless"
    for part in backbone.iterdir():
        headless.mkdir(exist_ok=True)
        (headless / part.name).write_bytes(part.read_bytes())
    (headless / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInputError, match="without a trained head"):
        CrossEncoder.load(str(headless), torch.device("cpu"))
