"""Training: its loss, the files that it keeps, the model that it ships, and how it is stopped."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.nn import functional

import stage2
from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.evaluation.ranking import score
from stage2.training import train as train_module
from stage2.training.dev_corpus import Dev, LastEpoch
from stage2.training.losses import margin_ranking_loss
from stage2.training.step import accumulate_gradients, batch_loss
from stage2.training.train import Callbacks, loss_scaler, train
from stage2.utils import files
from stage2.utils.errors import BadInputError, RunFailedError
from stage2.utils.tensors import copy_of_weights
from tests.conftest import read_jsonl
from tests.sentence_models import KINDS, write_model

SETTINGS = Settings(epochs=2, batch_size=4, learning_rate=1e-3, precision="fp32")


@pytest.mark.parametrize("pairs", ["all", "graded"])
def test_training_uses_the_similarity_that_evaluation_uses(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, pairs: Any
) -> None:
    rows = np.arange(len(lists))
    found = batch_loss(model.eval(), lists, rows, replace(SETTINGS, pairs=pairs))
    scored = score(lists, encode_tokens(model, lists.tokens, precision="fp32"))
    assert scored.pairs()["entity"] > 0
    assert scored.pairs()["fallback"] > 0
    similarities = torch.from_numpy(scored.scores).reshape(len(lists), 6)
    expected = margin_ranking_loss(similarities, SETTINGS.margin, pairs)
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("name", ["euclidean", "manhattan"])
@pytest.mark.parametrize(("loss", "micro_batch"), [("margin", None), ("in-batch", 20)])
def test_training_uses_the_distance_that_evaluation_uses(
    name: str, loss: Any, micro_batch: int | None, corpus: dict[str, Path], tmp_path: Path
) -> None:
    model = stage2.load_model(write_model(KINDS[f"{name} distance"], tmp_path)).eval()
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    lists = ranking_lists(model, dataset.construct(5, 0), None)
    settings = replace(SETTINGS, loss=loss, micro_batch=micro_batch, temperature=2.0)
    rows = np.arange(4)
    found = accumulate_gradients(model, lists, rows, settings, 4)
    embeddings = encode_tokens(model, lists.tokens, precision="fp32")
    assert embeddings.distance == name
    if loss == "margin":
        scores = torch.from_numpy(score(lists, embeddings).scores).reshape(len(lists), 6)[:4]
        expected = margin_ranking_loss(scores, SETTINGS.margin)
        assert found == pytest.approx(expected.item(), abs=1e-5)
        return
    answers, own = np.unique(lists.candidates[lists.offsets[rows]], return_inverse=True)
    order = {"euclidean": 2, "manhattan": 1}[name]
    apart = embeddings.mu[lists.questions[rows], None] - embeddings.mu[answers]
    scores = torch.from_numpy(-np.linalg.norm(apart, ord=order, axis=-1) / settings.temperature)
    expected = functional.cross_entropy(scores, torch.from_numpy(own))
    assert found == pytest.approx(expected.item(), abs=1e-4)


def test_lists_of_different_length_are_masked(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    """A batch of lists with different lengths has the mean loss of its lists."""
    keep = np.concatenate([np.arange(0, 6), np.arange(6, 9), np.arange(12, 14)])
    ragged = replace(
        lists.subset([0, 1, 2]),
        candidates=lists.candidates[keep],
        contexts=lists.contexts[keep],
        tie_keys=lists.tie_keys[keep],
        offsets=np.array([0, 6, 9, 11]),
        tokens=lists.tokens,
        questions=lists.questions[:3],
    )
    model.eval()
    each = [batch_loss(model, ragged, np.array([row]), SETTINGS).item() for row in range(3)]
    together = batch_loss(model, ragged, np.arange(3), SETTINGS).item()
    assert together == pytest.approx(np.mean(each), abs=1e-6)


def test_each_epoch_is_told_when_it_ends(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    """The log file has the first epoch before the last one ends."""
    seen: list[str] = []
    train(
        model, lists, Dev(lists), SETTINGS, tmp_path,
        Callbacks(
            progress=lambda what, done, *_: seen.append(f"{what}: {done}"),
            epoch=lambda entry: seen.append(f"told of {entry.epoch}"),
        ),
    )  # fmt: skip
    first, second = ([f"epoch {number}/2: {done}" for done in (1, 2, 3)] for number in (1, 2))
    assert seen == ["told of 0", *first, "told of 1", *second, "told of 2"]


def test_the_model_shipped_is_the_best_on_dev(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    train_lists, dev = lists.subset(range(8)), lists.subset(range(8, 12))
    settings = replace(SETTINGS, epochs=4)
    trained = train(model, train_lists, Dev(dev), settings, tmp_path)
    log = read_jsonl(tmp_path / files.TRAINING_LOG)
    dev_mrr = [row["dev"]["mrr"] for row in log]
    assert trained.best_epoch == int(np.argmax(dev_mrr))
    embeddings = encode_tokens(model, dev.tokens, precision="fp32")
    assert score(dev, embeddings).ranking.metrics()["mrr"] == max(dev_mrr)
    best = torch.load(tmp_path / files.CHECKPOINTS / files.BEST_CHECKPOINT, weights_only=True)
    assert all(torch.equal(best[key], tensor) for key, tensor in model.state_dict().items())


def test_dev_questions_are_ranked_at_steps_too(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    """Evaluations between the epochs change nothing of the training, and can be chosen."""
    start = copy_of_weights(model)
    plain = train(model, lists, Dev(lists), SETTINGS, tmp_path / "plain").log
    model.load_state_dict(start)
    settings, told = replace(SETTINGS, eval_every=2), []
    callbacks = Callbacks(epoch=told.append)
    trained = train(model, lists, Dev(lists), settings, tmp_path / "steps", callbacks)
    log = trained.log
    assert told == log
    assert [row.step for row in log] == [0, 2, 3, 4, 6]
    assert [row.epoch for row in log] == [0, 2 / 3, 1, 4 / 3, 2]
    kept = {row.step: replace(row, seconds=0.0) for row in log}
    assert [kept[row.step] for row in plain] == [replace(row, seconds=0.0) for row in plain]
    # The first update of an epoch and the others have its questions, each once.
    assert log[3].loss != log[4].loss
    for row in log[1:]:
        state = torch.load(tmp_path / "steps" / files.CHECKPOINTS / row.file, weights_only=True)
        model.load_state_dict(state)
        found = score(lists, encode_tokens(model, lists.tokens, precision="fp32"))
        assert found.ranking.metrics()["mrr"] == row.dev["mrr"]
    best = max(log, key=lambda row: row.dev["mrr"])
    assert trained.best_epoch == best.epoch


def test_stage_1_is_shipped_when_training_harms(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    rows = np.arange(len(lists))
    scored = score(lists, encode_tokens(model, lists.tokens, precision="fp32"))
    # The questions that stage 1 gets right cannot get better.
    right = rows[scored.ranking.rank == 1]
    assert len(right)
    trained = train(model, lists, Dev(lists.subset(right)), replace(SETTINGS, epochs=1), tmp_path)
    assert trained.best_epoch == 0
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


def test_training_lowers_the_loss(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    trained = train(model, lists, Dev(lists), replace(SETTINGS, epochs=6), tmp_path)
    losses = [entry.loss for entry in trained.log if entry.loss is not None]
    assert losses[-1] < 0.5 * losses[0]


def test_equal_seeds_give_equal_bytes_and_others_do_not(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    checkpoints = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.manual_seed(len(checkpoints))  # the state of the caller's generator must not matter
        model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
        train(model, lists, Dev(lists), replace(SETTINGS, seed=seed), tmp_path / name)
        path = tmp_path / name / files.CHECKPOINTS / "epoch_2.pt"
        checkpoints.append(torch.load(path, weights_only=True))
    first, second, other = checkpoints
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_training_leaves_the_callers_generator_alone(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(model, lists, Dev(lists), replace(SETTINGS, epochs=1), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    model: stage2.ProbabilisticGBERTV4,
    lists: RankingLists,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    def failing(*arguments: Any) -> float:
        nonlocal calls
        calls += 1
        loss = accumulate_gradients(*arguments)
        return math.nan if calls == 5 else loss  # epoch 2, step 2 of 3

    monkeypatch.setattr("stage2.training.train.accumulate_gradients", failing)
    with pytest.raises(RunFailedError, match=r"epoch 2, step 2: the loss is not finite") as caught:
        train(model, lists, Dev(lists), SETTINGS, tmp_path)
    order = np.random.default_rng([0, 2]).permutation(12)[4:8]
    assert all(lists.qa_ids[row] in str(caught.value) for row in order)
    kept = tmp_path / files.CHECKPOINTS
    assert (kept / "epoch_1.pt").is_file()
    assert not (kept / "epoch_2.pt").exists()
    state = torch.load(kept / files.BEST_CHECKPOINT, weights_only=True)
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert len(read_jsonl(tmp_path / files.TRAINING_LOG)) == 2


def test_an_update_that_overflows_in_half_precision_is_left_out(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The scale of the loss is halved, and no other update is changed by scaling."""
    settings = replace(SETTINGS, epochs=1, batch_size=4, schedule="constant")
    start = copy_of_weights(model)

    def trained(name: str, first_scale: float | None) -> tuple[dict[str, Tensor], float]:
        scaler = GradScaler("cpu", enabled=first_scale is not None, init_scale=first_scale or 1)
        monkeypatch.setattr(train_module, "loss_scaler", lambda *_: scaler)
        model.load_state_dict(start)
        train(model, lists, LastEpoch(1), settings, tmp_path / name)
        return copy_of_weights(model), scaler.get_scale()

    plain, _ = trained("plain", None)
    scaled, scale = trained("scaled", 2.0**10)
    assert scale == 2.0**10
    # A power of two leaves the digits of every gradient as they are.
    assert all(torch.equal(plain[name], weight) for name, weight in scaled.items())
    # The first updates overflow, until the scale was halved often enough.
    backward = torch.Tensor.backward
    sizes = iter([math.inf, math.inf, 1.0])
    monkeypatch.setattr(torch.Tensor, "backward", lambda self: backward(self * next(sizes)))
    overflown, scale = trained("overflown", 2.0**10)
    assert scale == 2.0**8
    assert all(torch.isfinite(weight).all() for weight in overflown.values())
    assert not all(torch.equal(start[name], weight) for name, weight in overflown.items())
    assert not all(torch.equal(plain[name], weight) for name, weight in overflown.items())


def test_half_precision_scales_the_loss(model: stage2.ProbabilisticGBERTV4) -> None:
    assert not loss_scaler(model, SETTINGS).is_enabled()
    assert not loss_scaler(model, replace(SETTINGS, precision="bf16")).is_enabled()


def test_nothing_to_train_on(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="no hard example"):
        train(model, lists.subset([]), Dev(lists), SETTINGS, tmp_path / "run")
    assert not (tmp_path / "run").exists()
