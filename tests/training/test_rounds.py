"""Negatives that are mined again with the model so far, round by round."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stage2
from stage2.config import Settings
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.mining.second_source import Bm25Source
from stage2.training.dev_corpus import Dev
from stage2.training.questions import closed_chunks
from stage2.training.rounds import (
    Again,
    MinedAgain,
    begins_round,
    check_rounds,
    mine_again,
    restored,
    round_of,
)
from stage2.training.step import accumulate_gradients
from stage2.training.train import train
from stage2.utils import files
from stage2.utils.errors import BadInputError, RunFailedError
from tests.beir import one_file, three_files
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.training.test_state import KilledError, attempt, results

SETTINGS = Settings(
    epochs=4, rounds=2, batch_size=4, learning_rate=1e-2, precision="fp32", negatives=3,
    loss="infonce", source="corpus",
)  # fmt: skip


@pytest.fixture
def rounds(model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]) -> MinedAgain:
    """All questions but the last two, whose answers are held out."""
    dataset = stage2.Dataset.load(**corpus)
    lists = ranking_lists(model, dataset.construct(3, 0), dataset.annotations, corpus=True)
    visible = np.arange(10)
    closed = closed_chunks(lists, visible)
    assert closed.sum() == 1
    second = Bm25Source(dataset.qa_ids, dataset.questions, dataset.chunk_texts)
    return Again(list(dataset.chunk_ids), second).of(lists.subset(visible), closed)


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_epochs_are_divided_evenly(epochs: int, number: int) -> None:
    settings = Settings(epochs=max(epochs, number), rounds=number)
    rounds = [round_of(epoch, settings) for epoch in range(1, settings.epochs + 1)]
    counts = [rounds.count(one) for one in range(1, number + 1)]
    assert rounds == sorted(rounds)
    assert sum(counts) == settings.epochs
    # The first rounds are the longer ones, by one epoch at most.
    assert max(counts) - min(counts) <= 1
    begun = [epoch for epoch in range(1, settings.epochs + 1) if begins_round(epoch, settings)]
    assert begun == [rounds.index(one) + 1 for one in range(2, number + 1)]


def test_more_rounds_than_epochs_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"--rounds 3 with --epochs 2: .* at most 2"):
        check_rounds(Settings(epochs=2, rounds=3))


def test_the_last_model_mines_and_held_out_answers_are_left_alone(
    model: stage2.ProbabilisticGBERTV4, rounds: MinedAgain, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, second_source="bm25")
    train(model, rounds, Dev(rounds.subset(range(3))), settings, tmp_path)
    # Mined here by plain products with the model that ended the first round.
    state = torch.load(tmp_path / files.CHECKPOINTS / "epoch_2.pt", weights_only=True)
    model.load_state_dict(state)
    vectors = encode_tokens(model, rounds.tokens, precision="fp32")
    scores = stage2.similarity(vectors.take(rounds.questions), vectors.take(rounds.corpus))
    written = read_jsonl(tmp_path / files.ROUNDS / "round_2.jsonl")
    assert [row["qa_id"] for row in written] == rounds.qa_ids
    ids = list(rounds.again.context_ids)
    for i, row in enumerate(written):
        part = slice(rounds.offsets[i], rounds.offsets[i] + rounds.num_relevant[i])
        own = set(rounds.contexts[part].tolist())
        order = sorted(set(range(20)) - own - set(np.flatnonzero(rounds.closed)),
                       key=lambda place: -scores[i, place])  # fmt: skip
        named = dict(zip(row["negative_chunk_ids"], row["sources"], strict=True))
        of_model = [ids.index(chunk) for chunk, source in named.items() if source == "model"]
        # A half of three is rounded upwards, for the second source.
        assert of_model == order[:1]
        assert not own & {ids.index(chunk) for chunk in named}
        assert not rounds.closed[[ids.index(chunk) for chunk in named]].any()
        assert list(named.values()).count("bm25") <= 2
    log = read_jsonl(tmp_path / files.TRAINING_LOG)
    assert [row["round"] for row in log] == [1, 1, 1, 2, 2]
    before = [set(part.tolist()) for part in np.split(rounds.negatives, range(3, 30, 3))]
    new = sum(
        ids.index(chunk) not in before[i]
        for i, row in enumerate(written)
        for chunk in row["negative_chunk_ids"]
    )
    assert [row["new_negatives"] for row in log] == [0, 0, 0, new, new]
    assert new > 0


def test_one_round_is_the_training_without_rounds(
    model_dir: Path, rounds: MinedAgain, tmp_path: Path
) -> None:
    known = {name: getattr(rounds, name) for name in RankingLists.__dataclass_fields__}
    for name, lists in (("plain", RankingLists(**known)), ("one", rounds)):
        model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
        train(model, lists, Dev(rounds.subset([0])), replace(SETTINGS, rounds=1), tmp_path / name)
    plain, one = (results(tmp_path / name) for name in ("plain", "one"))
    state = f"{files.CHECKPOINTS}/{files.TRAINING_STATE}"
    assert plain.pop(state) != one.pop(state)
    assert plain == one


@pytest.mark.parametrize("changes", [{}, {"lora": 2, "eval_every": 2}, {"freeze": "embeddings"}])
def test_killed_and_resumed_equals_uninterrupted(
    model_dir: Path, rounds: MinedAgain, tmp_path: Path, changes: dict[str, Any]
) -> None:
    # Three updates an epoch: the second of three rounds begins with the fourth update.
    settings = replace(SETTINGS, epochs=3, rounds=3, save_every=1, **changes)
    whole = attempt(model_dir, rounds, settings, tmp_path / "whole")
    assert [row.round for row in whole.log if row.epoch % 1 == 0] == [1, 1, 2, 3]
    assert len(list((tmp_path / "whole" / files.ROUNDS).iterdir())) == 2
    for kill_at in (3, 4, 5, 8):
        folder = tmp_path / str(kill_at)
        with pytest.raises(KilledError):
            attempt(model_dir, rounds, settings, folder, kill_at)
        attempt(model_dir, rounds, settings, folder)
        assert results(folder) == results(tmp_path / "whole")


def test_the_state_of_other_lists_is_refused(rounds: MinedAgain) -> None:
    state = rounds.state()
    again = restored(rounds, state)
    assert np.array_equal(again.candidates, rounds.candidates)
    assert np.array_equal(again.tie_keys, rounds.tie_keys)
    with pytest.raises(BadInputError, match="--resume never to start over"):
        restored(rounds.subset([0, 1]), state)
    assert restored(rounds, {}) is rounds


def test_grades_stay_with_their_ground_truths(rounds: MinedAgain) -> None:
    graded = replace(rounds, grades=np.where(rounds.is_relevant, 2.0, 0.0))
    counts = np.arange(len(rounds)) % 3
    other = graded.with_negatives(np.full(counts.sum(), 19), counts, 7)
    assert other.grades is not None
    assert np.array_equal(other.grades > 0, other.is_relevant)
    assert other.lengths.tolist() == (1 + counts).tolist()
    assert (other.candidates[~other.is_relevant] == rounds.corpus[19]).all()
    assert np.array_equal(other.contexts[other.is_relevant], rounds.contexts[rounds.is_relevant])
    assert other.new == 7


def test_a_model_whose_vectors_are_not_finite_mines_nothing(
    model: stage2.ProbabilisticGBERTV4, rounds: MinedAgain, tmp_path: Path
) -> None:
    with torch.no_grad():
        next(model.semantic_head.parameters()).fill_(torch.nan)
    with pytest.raises(RunFailedError, match="not finite, so that nothing can be mined"):
        mine_again(model, rounds, SETTINGS, 2, tmp_path, None, None)
    assert not (tmp_path / files.ROUNDS).exists()


FLAGS = [
    "--loss", "infonce", "--epochs", 2, "--rounds", 2, "--negatives", 2, "--batch-size", 4,
    "--learning-rate", 1e-2, "--precision", "fp32",
]  # fmt: skip


def test_a_run_keeps_the_negatives_of_every_round(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    call = ["run", *data_flags(corpus), "--model", model_dir, *FLAGS, "--source", "corpus"]
    call += ["--folds", 0, "--test-share", 0.3, "--save-every", 1]
    done = stage2(*call)
    assert "round 2 of 2: mined again with the model so far" in done.stderr
    out = tmp_path / "out"
    shipped, split = files.read_json(out / files.RUN)["shipped"], files.read_json(out / files.SPLIT)
    kept = {path.name for path in (out / files.ROUNDS).iterdir()}
    # The shipped model was refitted. It had a second round if the second epoch was chosen.
    again = shipped["refit_on"] > 0 and shipped["name"].startswith("epoch 2")
    assert kept == {"round_2.jsonl", *(["refit_round_2.jsonl"] if again else [])}
    recorded = files.read_json(out / files.RUN)["files"]
    assert {f"{files.ROUNDS}/{name}" for name in kept} <= recorded.keys()
    answers = {row["qa_id"]: row["gt_chunk_id"] for row in read_jsonl(out / files.CONSTRUCTED)}
    for name in kept:
        known = ["train", "dev"] if name.startswith("refit") else ["train"]
        seen = {answers[qa_id] for side in known for qa_id in split[side]}
        rows = read_jsonl(out / files.ROUNDS / name)
        found = {chunk for row in rows for chunk in row["negative_chunk_ids"]}
        assert found
        assert not found & ({*answers.values()} - seen)

    # Stopped in its second round, it goes on to the same files.
    def stopped(*arguments: Any) -> float:
        if (tmp_path / "again" / files.ROUNDS / "round_2.jsonl").is_file():
            calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return accumulate_gradients(*arguments)

    calls = list[int]()
    with monkeypatch.context() as patch:
        patch.setattr("stage2.training.train.accumulate_gradients", stopped)
        stage2(*call, "--output-dir", tmp_path / "again", exit_code=1)
    assert (tmp_path / "again" / files.CHECKPOINTS / files.TRAINING_STATE).is_file()
    stage2(*call, "--output-dir", tmp_path / "again")
    expected, got = tree(out), tree(tmp_path / "again")
    assert expected.keys() == got.keys()
    made = (files.ROUNDS, files.CHECKPOINTS, f"{files.SHIPPED_MODEL}/model")
    assert not [name for name in expected if name.startswith(made) and expected[name] != got[name]]


def test_train_mines_the_corpus_of_its_data(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    data = three_files(tmp_path)
    mining = ["--second-source", "bm25", "--max-score", 2]
    call = ["train", "--data", data, "--model", model_dir, *FLAGS, *mining]
    # A dry run counts the chunks that the second round embeds with 7 questions.
    planned = json.loads(stage2(*call, "--dry-run", "--json").stdout)["result"]["plan"]["work"]
    (again,) = (one for one in planned if one["what"] == "texts to embed to mine again")
    chunks = len(read_jsonl(data / "corpus.jsonl"))
    assert again["count"] == 7 + chunks
    stage2(*call)
    written = read_jsonl(tmp_path / "out" / files.ROUNDS / "round_2.jsonl")
    assert [row["qa_id"] for row in written] == [f"q{i:02}" for i in range(7)]
    # Answers of dev and test questions are no negatives, although test questions are not used.
    found = {chunk for row in written for chunk in row["negative_chunk_ids"]}
    assert found
    assert not found & {f"c{i:02}" for i in range(7, 14)}
    assert {source for row in written for source in row["sources"]} == {"model", "bm25"}
    saved = (tmp_path / "out" / files.SETTINGS).read_text(encoding="utf-8")
    assert "rounds = 2" in saved
    assert 'second_source = "bm25"' in saved
    refused = stage2(
        "train", "--data", data, "--model", model_dir, *FLAGS, *mining, "--second-share", 1,
        exit_code=2,
    )  # fmt: skip
    assert "second_share was 0.5, is 1.0" in refused.stderr


REFUSED: list[tuple[list[object], str]] = [
    (["--loss", "in-batch"], "with --loss margin, infonce, triplet or listnet"),
    (["--loss", "margin-mse"], "with --loss margin, infonce, triplet or listnet"),
    (["--source", "candidates"], "it works with --source corpus"),
    (["--drop-false-negatives"], "it works without --drop-false-negatives"),
    (["--epochs", 1], "--rounds 2 with --epochs 1"),
]


@pytest.mark.parametrize(("flags", "said"), REFUSED, ids=str)
def test_rounds_of_which_nothing_would_come(
    stage2: Stage2, model_dir: Path, tmp_path: Path, flags: list[object], said: str
) -> None:
    call = ["run", "--data", one_file(tmp_path), "--model", model_dir, *FLAGS]
    refused = stage2(*call, "--source", "corpus", *flags, exit_code=2)
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()


def test_train_needs_a_corpus_for_rounds(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "prepared")
    data = ["--data", tmp_path / "prepared" / files.CONSTRUCTED, "--model", model_dir]
    rounds = [*FLAGS[:4], "--rounds", 2]
    refused = stage2("train", *data, *rounds, exit_code=2)
    assert "--rounds 2" in refused.stderr
    assert "corpus" in refused.stderr
    assert not (tmp_path / "out").exists()
