"""`stage2 run`: everything, in order, into one folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from stage2.config_file import read_toml
from stage2.presets import REFERENCE, RUN_DEFAULTS, SMALL
from stage2.utils import files
from tests.beir import one_file
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.sentence_models import KINDS, write_model
from tests.small import WORDS


def test_run_holds_out_questions_and_ships_the_best_on_dev(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--topk", 1, "--epochs", 3, "--learning-rate", 1e-3, "--folds", 0]
    result = stage2("run", "--model", model_dir, *data_flags(corpus), *flags)
    out = tmp_path / "out"
    split = json.loads((out / files.SPLIT).read_text())
    sides = [set(split[name]) for name in ("train", "dev", "test")]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 12
    # q00 and q11 have the chunk c00
    assert any({"q00", "q11"} <= side for side in sides)
    # Stage 1 is not shipped here, so the questions that chose are trained on too.
    assert set(split["trained_on"]) == sides[0] | sides[1]
    log = read_jsonl(out / files.TRAINING_LOG)
    shipped = json.loads((out / files.RUN).read_text())["shipped"]
    assert {c["epoch"] for c in shipped["candidates"] if c["kind"] == "epoch"} == {1, 2, 3}
    assert shipped["dev_value"] == max(c["dev_value"] for c in shipped["candidates"])
    assert shipped["dev_value"] >= max(row["dev"]["mrr"] for row in log)
    comparison = json.loads((out / files.COMPARISON).read_text())
    held_out = {entry["name"]: entry["held_out"] for entry in comparison["sets"]}
    assert held_out == {"test": True, "dev": False, "train": False, "all": False}
    assert {entry["source"] for entry in comparison["sets"]} == {"corpus"}
    assert "Top-1" in result.stdout
    assert "test: BM25" in result.stdout
    assert (out / files.EVALUATION_AFTER).is_file()
    for part in comparison["sets"]:
        assert ("baselines" in part) == (part["source"] == "corpus")
    page = (out / files.PAGE).read_text("utf-8")
    assert page.count(">BM25</th>") == 4
    assert page.count("BM25 ranks by the words") == 1


def test_run_without_hard_examples_ships_stage_1(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--topk", 6, "--model", model_dir, "--folds", 0, *data_flags(corpus)]
    flags += ["--source", "candidates"]
    result = stage2("run", "--train-on", "hard", *flags)
    assert result.stderr.count("so there is nothing to train on") == 1
    shipped = json.loads((tmp_path / "out" / files.RUN).read_text())["shipped"]
    assert shipped["name"] == "stage 1"
    # Without hard examples all questions can still be trained on.
    result = stage2("run", *flags, "--output-dir", tmp_path / "all")
    assert "nothing to train on" not in result.stderr
    assert json.loads((tmp_path / "all" / files.SPLIT).read_text())["trained_on"]


def test_a_run_over_the_corpus_needs_no_more_memory_for_more_questions(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--precision", "fp32", "--epochs", 1]
    for budget in ("1KB", "4GB"):
        out = tmp_path / budget
        stage2("run", *flags, "--source", "corpus", "--memory-budget", budget, "--output-dir", out)
    for name in (files.HARD, files.COMPARISON, files.PER_QUESTION):
        assert (tmp_path / "1KB" / name).read_bytes() == (tmp_path / "4GB" / name).read_bytes()


def test_run_trains_on_all_questions_unless_it_is_told_otherwise(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--model", model_dir, *data_flags(corpus), "--folds", 0, "--topk", 2]
    chosen = {}
    for name, more in {
        "default": [], "hard": ["--train-on", "hard"], "reference": ["--preset", "reference"]
    }.items():  # fmt: skip
        stage2("run", *flags, *more, "--output-dir", tmp_path / name)
        settings = read_toml(tmp_path / name / files.SETTINGS)
        chosen[name] = {key: settings[key] for key in RUN_DEFAULTS if key in settings}
        sides = json.loads((tmp_path / name / files.SPLIT).read_text())
        shipped = json.loads((tmp_path / name / files.RUN).read_text())["shipped"]
        visible = {*sides["train"], *(sides["dev"] if shipped["refit_on"] else ())}
        hard = {row["qa_id"] for row in read_jsonl(tmp_path / name / files.HARD)}
        assert set(sides["trained_on"]) == (visible if name == "default" else hard & visible)
    # The questions of the corpus are few.
    assert chosen["default"] == {key: SMALL.get(key, RUN_DEFAULTS[key]) for key in RUN_DEFAULTS}
    assert chosen["hard"] == {**RUN_DEFAULTS, "train_on": "hard"}
    # The reference has no dev side to refit on, and no negatives in its batches.
    without = {"refit", "batches"}
    assert chosen["reference"] == {
        key: REFERENCE[key] for key in RUN_DEFAULTS if key not in without
    }


def test_a_run_on_mined_negatives_is_measured_on_the_corpus_alone(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--source", "corpus", "--model", model_dir, "--topk", 1, "--epochs", 1]
    result = stage2("run", *flags, *data_flags(corpus))
    assert "mined are ranked, and not trained on" in result.stderr
    comparison = json.loads((tmp_path / "out" / files.COMPARISON).read_text())
    assert {part["source"] for part in comparison["sets"]} == {"corpus"}
    assert "Top-1" in result.stdout


def test_what_sentence_transformers_ranks_with_the_model_is_what_the_run_says(
    stage2: Stage2, tmp_path: Path
) -> None:
    """From one file of SQuAD to a folder that the library reads without us."""
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 12)) for _ in range(24)]
    asked = [[" ".join(random.choice(text.split(), 4)) + "?" for _ in range(2)] for text in texts]
    paragraphs = [
        {"context": text, "qas": [{"id": f"q{i}-{j}", "question": one}
                                  for j, one in enumerate(questions)]}
        for i, (text, questions) in enumerate(zip(texts, asked, strict=True))
    ]  # fmt: skip
    data = tmp_path / "squad.json"
    data.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    model = write_model(KINDS["e5, two prompts"], tmp_path / "made")
    flags = ["--epochs", 2, "--batch-size", 8, "--learning-rate", 1e-3, "--folds", 0]
    stage2("run", "--data", data, "--model", model, *flags, "--precision", "fp32", "--no-bm25")
    out = tmp_path / "out"
    record = json.loads((out / files.RUN).read_text())
    assert record["shipped"]["kind"] != "stage1"
    shipped = SentenceTransformer(str(out / files.SHIPPED_MODEL), device="cpu")
    told = read_jsonl(out / files.PER_QUESTION)
    assert len(told) == 48
    questions = shipped.encode([row["question"] for row in told], prompt_name="query")
    chunks = shipped.encode(texts, prompt_name="passage")
    scores = shipped.similarity(questions, chunks).numpy()
    own = np.asarray([int(row["qa_id"][1:].split("-")[0]) for row in told])
    ranks = 1 + (scores > scores[np.arange(48), own][:, None]).sum(axis=1)
    assert [row["ranks"]["corpus"]["after"] for row in told] == ranks.tolist()
    before = [row["ranks"]["corpus"]["before"] for row in told]
    assert before != ranks.tolist()


def test_a_beir_folder_and_nothing_else_is_enough(
    stage2: Stage2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(KINDS["bert, cls, query prompt"], tmp_path / "made")
    monkeypatch.setattr("stage2.models.hub.default_backbone", lambda: str(model))
    done = stage2("run", "--data", one_file(tmp_path))
    out = tmp_path / "out"
    record = json.loads((out / files.RUN).read_text())
    assert {"train", "evaluate"} <= record["stages"].keys()
    assert record["shipped"]["candidates"]
    comparison = json.loads((out / files.COMPARISON).read_text())
    assert comparison["verdict"]["text"]["en"].split(":")[0] in done.stdout
    sources = {(entry["source"], entry["held_out"]) for entry in comparison["sets"]}
    assert ("corpus", True) in sources
    for name in (files.REPORT, files.PAGE, files.TRAINING_LOG, files.PER_QUESTION):
        assert (out / name).stat().st_size
    assert {path.name for path in (out / files.SHIPPED_MODEL).iterdir()} >= {
        "modules.json", "model.safetensors", files.CARD
    }  # fmt: skip
