"""The results equal those of the reference implementation, number by number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn
from torch.nn import functional as F

import stage2
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import ranking_lists
from stage2.encoding.tokens import tokenize
from stage2.evaluation.ranking import evaluation_rows, score

TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stage1(golden: Path) -> stage2.ProbabilisticGBERTV4:
    return stage2.ProbabilisticGBERTV4.from_reference(
        golden / "stage1.pt", backbone=golden / "tiny_roberta"
    )


def test_forward(golden: Path, stage1: stage2.ProbabilisticGBERTV4) -> None:
    rows = load(golden / "forward.json")
    embeddings = stage1.encode(
        [row["text"] for row in rows], [row["entities"] for row in rows], precision="fp32"
    )
    np.testing.assert_allclose(embeddings.mu, [row["mu"] for row in rows], **TOLERANCE)
    np.testing.assert_allclose(embeddings.kappa, [row["kappa"] for row in rows], **TOLERANCE)
    with torch.inference_mode():
        logits = stage1.auxiliary(torch.from_numpy(embeddings.mu)).numpy()
    np.testing.assert_allclose(logits, [row["aux_logits"] for row in rows], **TOLERANCE)
    kept = [sum(entity["n_tokens"] > 0 for entity in row["entities"]) for row in rows]
    assert embeddings.entity_count.tolist() == kept


def test_forward_by_entity(golden: Path, stage1: stage2.ProbabilisticGBERTV4) -> None:
    from stage2.encoding.tokens import collate

    for row in load(golden / "forward.json"):
        spans = [(entity["char_start"], entity["char_end"]) for entity in row["entities"]]
        tokens = tokenize(stage1, [row["text"]], [spans])
        assert tokens.lengths.tolist() == [row["n_tokens"]]
        expected = [entity for entity in row["entities"] if entity["n_tokens"]]
        found = [inside.tolist() for inside in tokens.entity_tokens[0]]
        assert found == [entity["token_mask"] for entity in expected]
        if not expected:
            continue
        with torch.inference_mode():
            pooled = stage1(collate(stage1, tokens, np.array([0])))
        mu = [entity["mu"] for entity in expected]
        kappa = [entity["kappa"] for entity in expected]
        np.testing.assert_allclose(pooled.entity_mu.numpy(), mu, **TOLERANCE)
        np.testing.assert_allclose(pooled.entity_kappa.numpy(), kappa, **TOLERANCE)


def test_entity_similarity(golden: Path, stage1: stage2.ProbabilisticGBERTV4) -> None:
    rows = load(golden / "entity_similarity.json")
    left, right = (
        stage1.encode(
            [row[side]["text"] for row in rows],
            [row[side]["targets"] for row in rows],
            precision="fp32",
        )
        for side in "ab"
    )
    found = np.diag(stage2.similarity(left, right))
    np.testing.assert_allclose(found, [row["similarity"] for row in rows], rtol=1e-4, atol=1e-6)


def test_similarity_is_the_mean_over_all_pairs(
    golden: Path, stage1: stage2.ProbabilisticGBERTV4
) -> None:
    """The closed form equals the double loop over entities."""
    from stage2.encoding.tokens import collate

    for row in load(golden / "entity_similarity.json")[:10]:
        units = []
        for side in "ab":
            spans = [(t["char_start"], t["char_end"]) for t in row[side]["targets"]]
            tokens = tokenize(stage1, [row[side]["text"]], [spans])
            with torch.inference_mode():
                units.append(stage1(collate(stage1, tokens, np.array([0]))).entity_mu.numpy())
        pairs = [float(a @ b) for a in units[0] for b in units[1]]
        assert np.mean(pairs) == pytest.approx(row["similarity"], rel=1e-4)


def test_join(golden: Path, monte_cristo: Path) -> None:
    rows = load(golden / "entity_join.json")
    annotations = stage2.Annotations.load(monte_cristo / "entities.jsonl")
    distinct = list(dict.fromkeys(annotations.texts))
    found = stage2.match_annotations([row["text"] for row in rows], distinct)
    assert found.dtype == np.int64
    assert found.tolist() == [row["annotation"] for row in rows]


def test_join_of_the_whole_file(golden: Path, monte_cristo: Path) -> None:
    """All lines are given; of equal texts the last one is used."""
    rows = load(golden / "entity_join.json")
    texts = list(stage2.Annotations.load(monte_cristo / "entities.jsonl").texts)
    distinct = list(dict.fromkeys(texts))
    last = {text: index for index, text in enumerate(texts)}
    expected = [-1 if row["annotation"] < 0 else last[distinct[row["annotation"]]] for row in rows]
    assert stage2.match_annotations([row["text"] for row in rows], texts).tolist() == expected


def test_ranking_loss_and_gradients(golden: Path) -> None:
    for row in load(golden / "ranking_loss.json"):
        q = torch.tensor(row["q"], requires_grad=True)
        c = torch.tensor(row["c"], requires_grad=True)
        similarities = (F.normalize(q, dim=-1)[:, None] * F.normalize(c, dim=-1)).sum(dim=-1)
        loss = stage2.margin_ranking_loss(similarities, margin=row["margin"])
        loss.backward()
        assert q.grad is not None
        assert c.grad is not None
        assert loss.item() == pytest.approx(row["loss"], rel=1e-4, abs=1e-7)
        assert q.grad.norm().item() == pytest.approx(row["grad_q_norm"], rel=1e-4, abs=1e-7)
        assert c.grad.norm().item() == pytest.approx(row["grad_c_norm"], rel=1e-4, abs=1e-7)


def test_sentence_evaluation(golden: Path, stage1: stage2.ProbabilisticGBERTV4) -> None:
    samples = stage2.Samples.load_jsonl(golden / "constructed_data.jsonl")
    lists = ranking_lists(stage1, samples, None, similarity="sentence")
    embeddings = encode_tokens(stage1, lists.tokens, precision="fp32")
    questions = list(samples.questions)
    found = list(evaluation_rows(lists, questions, embeddings, score(lists, embeddings)))
    for row, expected in zip(found, load(golden / "sentence_evaluation.json"), strict=True):
        assert row["qa_id"] == expected["qa_id"]
        np.testing.assert_allclose(
            list(row["similarities"].values()), expected["similarities"], rtol=1e-4, atol=1e-6
        )
        assert row["predict_order"] == expected["predict_order"]
        assert row["consistency_metrics"]["gt_position"] == expected["gt_position"]


class ReferenceLayout(nn.Module):
    """The module as the reference defines it, which our checkpoints must fit."""

    def __init__(self, config: Any, embedding_dim: int) -> None:
        super().__init__()
        width = config.hidden_size
        self.backbone = transformers.AutoModel.from_config(config)
        self.semantic_head = nn.Sequential(
            nn.Linear(width, 256), nn.GELU(), nn.Linear(256, embedding_dim)
        )
        self.energy_proj = nn.Linear(width, 1)
        self.aux_head = nn.Sequential(nn.Linear(embedding_dim, 128), nn.GELU(), nn.Linear(128, 28))


def test_checkpoints_go_both_ways(
    golden: Path, stage1: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    stage1.save_reference(tmp_path / "epoch_1.pt")
    ours = torch.load(tmp_path / "epoch_1.pt", weights_only=True)
    theirs = torch.load(golden / "stage1.pt", weights_only=True)
    assert list(ours) == list(theirs)
    for key, tensor in theirs.items():
        assert ours[key].dtype == tensor.dtype
        assert torch.equal(ours[key], tensor)
    config = transformers.AutoConfig.from_pretrained(golden / "tiny_roberta")
    ReferenceLayout(config, embedding_dim=64).load_state_dict(ours, strict=True)


def test_own_format_keeps_every_bit(
    golden: Path, stage1: stage2.ProbabilisticGBERTV4, tmp_path: Path
) -> None:
    stage1.save_pretrained(tmp_path / "model")
    again = stage2.ProbabilisticGBERTV4.from_pretrained(tmp_path / "model")
    state = stage1.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in again.state_dict().items())
    texts = [row["text"] for row in load(golden / "forward.json")]
    assert np.array_equal(again.encode(texts).mu, stage1.encode(texts).mu)
