"""The benchmark of few questions: its draws and its table, from cells that are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benches import few_questions
from benches.data_sets import Data
from benches.defaults import DOCUMENT, OURS, UNTOUCHED, Options
from benches.few_questions import GRID, MARKERS, add, drawn, table
from stage2.utils import files

DATA = Data(
    "made",
    [{"_id": f"q{i}", "text": f"question {i}"} for i in range(20)],
    [{"_id": f"c{i}", "text": f"chunk {i}"} for i in range(20)],
    [[i] for i in range(20)],
    [[0, 1, 2, 3], [4, 5, 6, 7]],
)


def test_a_draw_is_of_the_training_side_and_in_the_larger_ones() -> None:
    small, large = (drawn(DATA, 1, size, 0) for size in (4, 9))
    asked = [{one["_id"] for one in data.queries[: -len(DATA.tests[1])]} for data in (small, large)]
    assert [len(one) for one in asked] == [4, 9]
    assert asked[0] < asked[1]
    held_out = [DATA.queries[i] for i in DATA.tests[1]]
    for data in (small, large):
        assert [data.queries[i] for i in data.tests[0]] == held_out
        assert [data.corpus[rows[0]]["text"].split()[1] for rows in data.truths] == [
            query["text"].split()[1] for query in data.queries
        ]
    assert drawn(DATA, 1, 4, 0) == small
    assert drawn(DATA, 1, 4, 1).queries != small.queries


def cell(method: str, values: list[float]) -> dict[str, Any]:
    place = {"data": "made", "size": 50, "split": 0, "seed": 0}
    return {**place, "method": method, "rr": values, "ndcg10": values}


def test_the_best_recipe_of_the_peer_counts() -> None:
    first, second, *rest = GRID
    rows = [
        cell(UNTOUCHED, [0.5] * 20),
        cell(OURS, [0.9] * 20),
        cell(first, [0.6] * 20),
        cell(second, [0.8] * 20),
        *(cell(one, [0.7] * 20) for one in rest),
    ]
    (line,) = table(rows).splitlines()[2:]
    assert [part.strip() for part in line.strip("|").split("|")] == [
        "made", "50", "1", "0.5000, 0.5000", "0.9000, 0.9000", "0.8000, 0.8000", second, "1, 0",
    ]  # fmt: skip


def test_cells_are_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def measured(name: str) -> Any:
        def make(*_: Any) -> dict[str, Any]:
            made.append(name)
            return {"rr": [1.0], "ndcg10": [1.0]}

        return make

    for name in ("untouched_measures", "our_cell", "peer_cell"):
        monkeypatch.setattr(few_questions, name, measured(name))
    place = {"data": "made", "size": 4, "split": 1, "seed": 0, "key": "k"}
    options = Options(tmp_path, "fp32", ())
    log = tmp_path / "cells.jsonl"
    add([], log, drawn(DATA, 1, 4, 0), place, options)
    assert made == ["untouched_measures", "our_cell", *["peer_cell"] * len(GRID)]
    cells = files.read_jsonl(log)
    assert [one["method"] for one in cells] == [UNTOUCHED, OURS, *GRID]
    add(cells, log, drawn(DATA, 1, 4, 0), place, options)
    assert len(made) == 2 + len(GRID)


def test_the_page_has_a_place_for_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(text.count(marker.strip()) == 1 for marker in MARKERS)
