"""The whole corpus is ranked in bounded memory, with the ranks that all scores together give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stage2 import Embeddings
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.encoding.tokens import LazyTokens
from stage2.evaluation import ranking
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import Ranked, corpus_blocks, score, score_corpus
from stage2.training import dev_corpus
from stage2.training.dev_corpus import dev_of
from stage2.utils import files
from tests.conftest import Stage2, data_flags


def made(questions: int, chunks: int, seed: int) -> tuple[RankingLists, Embeddings]:
    """Texts on a coarse grid, so that many scores tie; half of them with entities."""
    random = np.random.default_rng(seed)
    count = questions + chunks
    mu, entity = random.integers(-2, 3, (2, count, 4)).astype(np.float32)
    has_entity = random.random(count) < 0.5
    entity[~has_entity] = 0
    embeddings = Embeddings(
        mu, entity, has_entity, np.ones(count, np.float32), has_entity.astype(np.int64)
    )
    num_relevant = random.integers(1, 4, questions)
    contexts = np.concatenate([random.permutation(chunks)[: n + 2] for n in num_relevant])
    texts = [str(i) for i in range(count)]
    lists = RankingLists(
        tokens=LazyTokens(texts, [()] * count, lambda *_: pytest.fail("no token is needed")),
        qa_ids=texts[:questions],
        questions=np.arange(questions),
        candidates=questions + contexts,
        contexts=contexts,
        offsets=np.cumsum([0, *(num_relevant + 2)]).astype(np.int64),
        num_relevant=num_relevant,
        tie_keys=contexts,
        corpus=np.arange(questions, count),
    )
    return lists, embeddings


@pytest.mark.parametrize(("tile", "block"), [(1 << 14, 1 << 22), (7, 1), (64, 500), (100, 50)])
def test_counted_ranks_are_those_of_all_scores(
    tile: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, int]] = []
    for seed in range(3):
        lists, embeddings = made(23, 100, seed)
        whole = Ranked.concat([part.ranked() for part in corpus_blocks(lists, embeddings)])
        with monkeypatch.context() as patch:
            patch.setattr(ranking, "_TILE", tile)
            patch.setattr(ranking, "_BLOCK_SCORES", block)
            found = score_corpus(lists, embeddings, lambda *now: done.append(now))
            again = Ranked.concat([part.ranked() for part in corpus_blocks(lists, embeddings)])
        for ranked in (found, again):
            assert ranked.ranking.rank.tolist() == whole.ranking.rank.tolist()
            assert ranked.metrics(range(23)) == whole.metrics(range(23))
            assert ranked.by_entity.tolist() == whole.by_entity.tolist()
            assert ranked.pairs() == whole.pairs()
        assert done[-1] == (23, 23)


def test_no_more_than_a_block_of_scores_is_computed_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists, embeddings = made(40, 300, 0)
    shapes = []
    whole = ranking.similarity

    def seen(left: Embeddings, right: Embeddings) -> np.ndarray:
        shapes.append((len(left), len(right)))
        return whole(left, right)

    monkeypatch.setattr(ranking, "similarity", seen)
    monkeypatch.setattr(ranking, "_TILE", 50)
    monkeypatch.setattr(ranking, "_BLOCK_SCORES", 200)
    score_corpus(lists, embeddings)
    assert max(right for _, right in shapes) == 50
    assert max(left * right for left, right in shapes) <= 200


def test_a_large_corpus_is_chosen_on_in_part() -> None:
    lists, embeddings = made(30, 200, 1)
    before = Evaluation(
        lists, embeddings, score(lists, embeddings), score_corpus(lists, embeddings)
    )
    rows = np.arange(3, 9)
    assert dev_of(before, rows, most=200).whole is None
    dev = dev_of(before, rows, most=60)
    assert len(dev.lists.corpus) == 60
    assert dev.whole is not None
    assert len(dev.whole.corpus) == 200
    assert dev.facts() == {"questions": 6, "chunks": 60, "of": 200}
    assert before.corpus is not None
    assert dev.stage1_whole == before.corpus.metrics(rows)["mrr"]
    # Stage 1 is ranked among the same part as the others will be.
    place = {text: row for row, text in enumerate(lists.tokens.texts)}
    taken = embeddings.take([place[text] for text in dev.lists.tokens.texts])
    assert score_corpus(dev.lists, taken).metrics(range(6)) == dev.stage1
    # What it has nearest is there: its best ranks are what they are among all.
    whole, part = before.corpus.take(rows).ranking.rank, score_corpus(dev.lists, taken).ranking.rank
    assert part[whole <= 1].tolist() == whole[whole <= 1].tolist()
    assert (part <= whole).all()


def test_a_question_never_lacks_a_ground_truth_or_a_rival() -> None:
    lists, embeddings = made(30, 200, 2)
    before = Evaluation(
        lists, embeddings, score(lists, embeddings), score_corpus(lists, embeddings)
    )
    dev = dev_of(before, np.arange(30), most=1)
    assert len(dev.lists.corpus) > 30
    starts = dev.lists.offsets[:-1]
    assert (dev.lists.contexts[starts] >= 0).all()


def test_run_ranks_all_chunks_and_says_what_it_chose_on(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(dev_corpus.dev_of, "__defaults__", (10,))
    flags = ["--model", model_dir, "--epochs", 2, "--learning-rate", 1e-3, "--folds", 0]
    done = stage2("run", *data_flags(corpus), *flags)
    assert "ranked among" in done.stderr
    assert "of the 20 chunks, choose among the epochs" in done.stderr
    out = tmp_path / "out"
    comparison = json.loads((out / files.COMPARISON).read_text())
    assert comparison["verdict"]["source"] == "corpus"
    record = json.loads((out / files.RUN).read_text())
    assert record["dev"]["chunks"] < record["dev"]["of"] == 20
    reason = record["shipped"]["reason"]
    assert "of the 20 chunks: the ground truths and what stage 1 has nearest" in reason["en"]
    assert "20 个文本块" in reason["zh"]
    best = record["shipped"]["candidates"][0]
    assert (best["kind"] == "stage1") or best["whole_value"] > 0
    for language in ("en", "zh"):
        stage2("report", "--language", language)
        assert reason[language][:30] in (out / files.REPORT).read_text()


def test_never_and_samples_alone_rank_no_corpus(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    done = stage2("evaluate", *data_flags(corpus), "--model", model_dir, "--corpus", "never")
    assert "whole corpus" not in done.stdout
    assert Settings().corpus == "auto"
