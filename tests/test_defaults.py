"""The benchmark of the defaults without training: its data, its ranks, its test and its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benches import data_sets, defaults, reference
from stage2.config import InputConfig
from stage2.data.formats import read


def test_reciprocal_ranks_are_expected_ones_of_the_first_answer() -> None:
    scores = np.asarray(
        [[0.1, 0.9, 0.5], [0.5, 0.5, 0.1], [0.2, 0.2, 0.2], [0.1, 0.9, 0.5]], np.float32
    )
    ranks = defaults.measures_of(scores, [[2], [0], [1], [0, 2]])["rr"]
    assert ranks == pytest.approx([1 / 2, 3 / 4, (1 + 1 / 2 + 1 / 3) / 3, 1 / 2], abs=1e-6)


def test_flip_test_is_near_the_exact_one() -> None:
    generator = np.random.default_rng(0)
    before = generator.random(12)
    after = before + generator.normal(0.05, 0.1, 12)
    exact = stats.permutation_test(
        (after, before), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    assert defaults.flip_test(after, before) == pytest.approx(exact.pvalue, abs=0.015)
    assert defaults.flip_test(before, before) == 1


def test_splits_of_xquad_hold_out_whole_paragraphs(xquad: Path) -> None:
    data = data_sets.xquad(xquad.parent, splits=3, limit=None)
    assert (len(data.queries), len(data.corpus), len(data.tests)) == (1190, 240, 3)
    for test in data.tests:
        out = {data.truths[i][0] for i in test}
        assert len(out) == 72
        assert len(test) == sum(chunks[0] in out for chunks in data.truths)
    assert data.tests[0] != data.tests[1]


def test_no_answer_of_medquad_stands_on_both_sides(medquad: Path) -> None:
    data = data_sets.medquad(medquad.parent, splits=3, limit=None)
    assert (len(data.queries), len(data.corpus)) == (1770, 2097)
    assert sum(map(len, data.truths)) == 2143
    for test in data.tests:
        assert 450 < len(test) < 620
        held = {chunk for i in test for chunk in data.truths[i]}
        rest = set(range(len(data.queries))) - set(test)
        assert not held & {chunk for i in rest for chunk in data.truths[i]}


def test_chains_of_shared_chunks_are_one_group() -> None:
    truths = [[0, 1], [1, 2], [3], [2], [4], [5]]
    for test in data_sets.held_out(truths, splits=20):
        assert len({i in test for i in (0, 1, 3)}) == 1


def test_the_training_side_is_a_data_set_without_what_is_held_out(tmp_path: Path) -> None:
    queries = [{"_id": f"q{i}", "text": f"question {i}"} for i in range(3)]
    corpus = [{"_id": f"c{i}", "title": "About", "text": f"chunk {i}"} for i in range(4)]
    data = data_sets.Data("tiny", queries, corpus, [[0], [1, 3], [2]], [[0]])
    folder = defaults.training_side(data, 0, defaults.Options(tmp_path, "fp32", ()))
    loaded = read(InputConfig(data=str(folder)), False).dataset
    assert list(loaded.questions) == ["question 1", "question 2"]
    assert list(loaded.chunk_texts) == data.texts
    assert [list(row) for row in np.split(loaded.relevant, [2])] == [[1, 3], [2]]


def test_the_table_has_a_row_a_cell_and_the_means() -> None:
    data = data_sets.Data("XQuAD", [], [], [], [[0, 1]])
    options = defaults.Options(Path("work"), "fp32", ("--epochs", "1"))
    ranks = {defaults.UNTOUCHED: [0.5, 1.0], defaults.OURS: [1.0, 1.0], defaults.PEER: [0.25, 0.5]}
    cells = [
        {"data": "XQuAD", "split": 0, "seed": seed, "method": method, "rr": found,
         "ndcg10": found, "trained_on": 7, "shipped": "epoch 1"}
        for seed in range(2) for method, found in ranks.items()
    ]  # fmt: skip
    text = defaults.document([data], cells, options)
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]  # fmt: skip
    assert len(rows) == 5
    assert rows[2][5:8] == rows[4][5:8] == ["0.7500", "1.0000", "0.3750"]
    assert "over untouched: +0.2500; significantly better (p < 0.05) in 0 and worse in 0" in text
    assert "over MultipleNegativesRankingLoss +0.6250 in 2" in text
    means = "untouched 0.7500, stage2 run 1.0000, MultipleNegativesRankingLoss 0.3750"
    assert f"nDCG@10: {means}." in text


def test_a_significant_change_is_counted_by_its_sign() -> None:
    low, high = [0.1] * 30, [0.9] * 30
    cells = [
        {"data": "XQuAD", "split": 0, "seed": seed, "method": method, "rr": found,
         "ndcg10": found, "trained_on": 7, "shipped": "epoch 1"}
        for seed, pair in enumerate([(low, high), (high, low), (low, low)])
        for method, found in zip((defaults.UNTOUCHED, defaults.OURS), pair, strict=True)
    ]  # fmt: skip
    options = defaults.Options(Path("work"), "fp32", ())
    text = defaults.document([data_sets.Data("XQuAD", [], [], [], [])], cells, options)
    assert "better (p < 0.05) in 1 and worse in 1 of 3. nDCG@10" in text


def test_the_document_has_the_markers_that_the_tables_go_between() -> None:
    text = defaults.DOCUMENT.read_text(encoding="utf-8")
    options = [defaults.Options(Path("work"), "fp32", (), init) for init in (False, True)]
    markers = [*options[0].markers, *options[1].markers, *reference.MARKERS]
    assert [text.count(marker) for marker in markers] == [1] * 6


def test_cells_that_are_done_are_not_done_again(tmp_path: Path) -> None:
    data = data_sets.Data("XQuAD", [], [], [], [[0]])
    options = defaults.Options(tmp_path, "fp32", ())
    cells = [
        {"data": "XQuAD", "split": 0, "seed": 0, "key": options.key, "method": method}
        for method in (defaults.UNTOUCHED, defaults.OURS, defaults.PEER)
    ]
    assert list(defaults.missing(data, 0, 0, options, json.loads(json.dumps(cells)))) == []


def test_what_was_trained_on_stands_beside_what_was_not_and_without_a_test() -> None:
    def part(name: str, seen: int, mrr: float) -> dict[str, object]:
        shares = {"top1": 0.2, "top3": 0.5, "top5": 0.8, "mrr": 0.4}
        return {
            "name": name, "source": "candidates", "held_out": not seen, "seen_in_training": seen,
            "before": shares, "after": shares | {"top1": 0.54, "mrr": mrr},
            "statistics": {"mrr": {"p": 0.0312}},
        }  # fmt: skip

    elsewhere = part("all", 25, 0.9) | {"source": "corpus"}
    runs = {7: [part("cross-validated", 0, 0.45), part("all", 25, 0.7), elsewhere]}
    text = reference.document(runs, "fp32", "words of the report")
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]  # fmt: skip
    seen = ["7", "as the reference does", "25", "20% → 54%", "50% → 50%", "80% → 80%"]
    assert rows[2:] == [
        [*seen, "0.400 → 0.700", "–"],
        ["7", "cross-validated", "0", *seen[3:], "0.400 → 0.450", "0.031"],
    ]
    assert text.endswith("> words of the report\n")
