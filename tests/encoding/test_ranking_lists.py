"""The ranking lists of samples, which the model reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stage2
from stage2.encoding.encode import encode_tokens
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation import corpus_counts
from stage2.evaluation.ranking import corpus_blocks, score, score_corpus
from stage2.utils.errors import BadInputError
from tests.small import write_jsonl


def load(corpus: dict[str, Path], negatives: int = 5) -> tuple[stage2.Dataset, stage2.Samples]:
    dataset = stage2.Dataset.load(**corpus)
    return dataset, dataset.construct(negatives, 0)


def test_a_subset_scores_as_the_whole(
    model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]
) -> None:
    dataset, samples = load(corpus)
    lists = ranking_lists(model, samples, dataset.annotations, corpus=True)
    rows = np.array([7, 2, 11])
    part = lists.subset(rows)
    assert part.qa_ids == [lists.qa_ids[row] for row in rows]
    assert len(part.tokens) < len(lists.tokens)
    for function in (score, score_corpus):
        whole = function(lists, encode_tokens(model, lists.tokens))
        some = function(part, encode_tokens(model, part.tokens))
        np.testing.assert_allclose(some.ranking.rank, whole.ranking.rank[rows])
        expected = {key: value for key, value in whole.metrics(rows).items() if key != "chance"}
        found = {key: value for key, value in some.ranking.metrics().items() if key != "chance"}
        assert found == pytest.approx(expected)


def test_the_corpus_is_every_chunk(
    model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]
) -> None:
    dataset, samples = load(corpus)
    lists = ranking_lists(model, samples, None, corpus=True)
    embeddings = encode_tokens(model, lists.tokens)
    scored = score_corpus(lists, embeddings)
    assert scored.lengths.tolist() == [20] * 12
    chunks = model.encode(list(dataset.chunk_texts))
    questions = model.encode(list(dataset.questions))
    scores = stage2.similarity(questions, chunks)
    for row, gold in enumerate(dataset.relevant):
        better = (scores[row] > scores[row, gold]).sum()
        equal = (scores[row] == scores[row, gold]).sum()
        assert scored.ranking.rank[row] == better + (equal + 1) / 2


def test_a_corpus_is_ranked_a_few_questions_at_a_time(
    model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, samples = load(corpus)
    lists = ranking_lists(model, samples, dataset.annotations, corpus=True)
    embeddings = encode_tokens(model, lists.tokens)
    whole = score_corpus(lists, embeddings)
    monkeypatch.setattr(corpus_counts, "_BLOCK_SCORES", 5 * len(lists.corpus))
    blocks = [len(block.lengths) for block in corpus_blocks(lists, embeddings)]
    assert blocks == [5, 5, 2]
    parts = score_corpus(lists, embeddings)
    np.testing.assert_array_equal(parts.ranking.rank, whole.ranking.rank)
    np.testing.assert_array_equal(parts.by_entity, whole.by_entity)
    assert parts.metrics(range(12)) == whole.metrics(range(12))


def test_equal_texts_tie_exactly(model: stage2.ProbabilisticGBERTV4, tmp_path: Path) -> None:
    """A copy of the ground truth that is given as a negative takes half of its Top-1."""
    rows = [{"chunk_id": name, "text": "treasure island"} for name in ("b", "a")]
    corpus = {
        "qa": write_jsonl(tmp_path / "qa.jsonl", [{"question": "where treasure", "chunk_id": "b"}]),
        "chunks": write_jsonl(tmp_path / "chunks.jsonl", rows),
    }
    dataset = stage2.Dataset.load(**corpus)
    samples = dataset.with_negatives(np.array([1]), np.array([0, 1]))
    lists = ranking_lists(model, samples, None, corpus=True)
    embeddings = encode_tokens(model, lists.tokens)
    scored = score(lists, embeddings)
    assert scored.ranking.rank.tolist() == [1.5]
    assert scored.ranking.success(1).tolist() == [0.5]
    # In the corpus a copy is not a wrong answer.
    assert score_corpus(lists, embeddings).ranking.rank.tolist() == [1]


def test_entity_similarity_needs_annotations(
    model: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]
) -> None:
    _, samples = load(corpus)
    with pytest.raises(BadInputError, match="--entities"):
        ranking_lists(model, samples, None, similarity="entity")
