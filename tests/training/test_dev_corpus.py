"""The part of a large corpus in which dev questions are ranked to choose a model."""

from __future__ import annotations

import numpy as np
import pytest

from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import score, score_corpus
from stage2.training.dev_corpus import dev_of
from tests.rankings import made


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
    assert dev.stage1_whole is not None
    assert dev.stage1_whole.mean() == pytest.approx(before.corpus.metrics(rows)["mrr"])
    # Stage 1 is measured in the same part as the other candidates.
    place = {text: row for row, text in enumerate(lists.tokens.texts)}
    taken = embeddings.take([place[text] for text in dev.lists.tokens.texts])
    ranked = score_corpus(dev.lists, taken)
    assert ranked.metrics(range(6)) == dev.stage1
    assert dev.stage1_ranks is not None
    assert dev.stage1_ranks.tolist() == ranked.ranking.reciprocal_rank.tolist()
    # The chunks nearest by stage 1 are in the part, so its best ranks are those among all chunks.
    whole, part = before.corpus.take(rows).ranking.rank, score_corpus(dev.lists, taken).ranking.rank
    assert part[whole <= 1].tolist() == whole[whole <= 1].tolist()
    assert (part <= whole).all()


def test_ground_truths_that_were_seen_choose_nothing() -> None:
    lists, embeddings = made(30, 200, 4)
    before = Evaluation(
        lists, embeddings, score(lists, embeddings), score_corpus(lists, embeddings)
    )
    starts = np.cumsum([0, *lists.num_relevant])
    rows = np.flatnonzero(lists.num_relevant > 1)
    aside = np.zeros(starts[-1], np.bool_)
    aside[starts[rows]] = True
    assert before.corpus is not None
    wanted = before.corpus.without(aside).metrics(rows)
    assert wanted != before.corpus.metrics(rows)
    whole, part = (dev_of(before, rows, aside, most=most) for most in (200, 90))
    assert whole.stage1 == wanted
    assert part.stage1_whole is not None
    assert part.stage1_whole.mean() == pytest.approx(wanted["mrr"])
    place = {text: row for row, text in enumerate(lists.tokens.texts)}
    for dev in (whole, part):
        assert dev.lists.truths_aside is not None
        assert dev.lists.truths_aside.sum() == len(rows)
        taken = embeddings.take([place[text] for text in dev.lists.tokens.texts])
        ranked = score_corpus(dev.lists, taken).without(dev.lists.truths_aside)
        assert ranked.metrics(range(len(rows))) == dev.stage1
        assert dev.whole is None or dev.whole.truths_aside is not None


def test_a_question_never_lacks_a_ground_truth_or_a_rival() -> None:
    lists, embeddings = made(30, 200, 2)
    before = Evaluation(
        lists, embeddings, score(lists, embeddings), score_corpus(lists, embeddings)
    )
    dev = dev_of(before, np.arange(30), most=1)
    assert len(dev.lists.corpus) > 30
    starts = dev.lists.offsets[:-1]
    assert (dev.lists.contexts[starts] >= 0).all()
