"""Scores of a corpus that come in blocks are counted as if all were there at once."""

from __future__ import annotations

import numpy as np
import pytest

from stage2._core import Ranking
from stage2.evaluation import corpus_counts
from stage2.evaluation.corpus_counts import Copies, CorpusCounts, relevant
from tests.rankings import made, of_texts
from tests.reference import counts


def ranking(counted: CorpusCounts) -> Ranking:
    truths = counted.truths(np.zeros(len(counted.questions), np.bool_))
    return truths.ranking(counted.lengths)


@pytest.mark.parametrize(("tile", "block"), [(100, 1 << 22), (7, 1), (64, 500)])
def test_blocks_in_any_order_count_as_all_scores(
    tile: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_counts, "_BLOCK_SCORES", block)
    lists, _ = made(23, 100, 0)
    scores = np.random.default_rng(0).integers(0, 9, (23, 100)).astype(np.float32)
    counted = CorpusCounts(lists)
    own = scores[counted.questions, counted.contexts]
    for first in reversed(range(0, 100, tile)):
        width = min(tile, 100 - first)
        for part in counted.blocks(width):
            rows = counted.rows(part)
            assert len(rows) * width <= max(block, width)
            some = scores[rows, first : first + width]
            # What stands for a ground truth in a block is replaced by its own score.
            counted.add(part, first, some, own[part])
    found = ranking(counted).rank
    for row in range(23):
        right = relevant(lists, row).tolist()
        others = np.delete(scores[row], right)
        above, equal = counts([*scores[row, right].tolist(), *others.tolist()], len(right))
        best = int(np.argmin(above))
        if len(right) == 1:
            assert found[row] == above[0] + (equal[0] + 1) / 2
        assert above[best] + 1 <= found[row] <= above[best] + (equal[best] + 1) / 2


def test_copies_of_a_ground_truth_do_not_count() -> None:
    """The texts differ in case and white space alone, which makes them the same."""
    lists = of_texts(["q", "r"], ["one", "ONE ", "two", "three"], [[0], [2, 3]])
    copies = Copies.of(lists)
    assert copies.counts.tolist() == [1, 0]
    assert [part.tolist() for part in copies.of_questions(0, 2)] == [[0], [1]]
    counted = CorpusCounts(lists)
    (part,) = counted.blocks(4)
    scores = np.array([[0.5, 0.9, 0.7, 0.1], [0.9, 0.5, 0.5, 0.1]], np.float32)
    counted.add(part, 0, scores, scores[counted.questions, counted.contexts])
    assert counted.lengths.tolist() == [3, 4]
    assert ranking(counted).rank.tolist() == [2, 2.5]
