"""The benchmark of recipes: its table and its tuning, from cells that are made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benches import recipes
from benches.data_sets import Data, Row
from benches.defaults import UNTOUCHED, Options
from benches.recipes import GRID, RECIPES, TUNING, Cells, Peer
from benches.sentence_peers import LOSSES
from stage2.cli.main import program
from tests.beir import one_file

RANDOM = "infonce, 1 random negative"
GUIDE = "GISTEmbedLoss"
DATA = Data("XQuAD", [], [], [], [[0, 1], [1, 2], *([[]] * (TUNING - 2)), [3]])


def cell(split: int, method: str, values: list[float], seed: int = 0, **more: Any) -> Row:
    place = {"data": "XQuAD", "split": split, "seed": seed, "method": method}
    return place | {"rr": values, "ndcg10": values, "seconds": 8.0} | more


def test_a_recipe_is_compared_with_the_defaults_question_by_question() -> None:
    rows = [
        cell(0, UNTOUCHED, [0.5, 0.25]),
        cell(0, "defaults", [0.5, 0.5]),
        cell(1, "defaults", [1.0, 1.0]),
        # Question 1 changes by -0.25 in one split and by 0 in the other: by -0.125.
        cell(0, RANDOM, [0.75, 0.25]),
        cell(1, RANDOM, [1.0, 1.0]),
        # No cell of the defaults stands beside this one.
        cell(1, RANDOM, [0.0, 0.0], seed=1),
        cell(0, GUIDE, [0.5, 1.0], learning_rate=1e-4, epochs=4),
        cell(TUNING, GUIDE, [0.0], learning_rate=1e-4, epochs=4),
    ]
    lines = recipes.table(DATA, rows).splitlines()
    found = [[one.strip() for one in line.strip("|").split("|")] for line in lines[2:]]
    # Changes of 0.25, -0.125 and 0: 0.0417 in the mean, with a standard deviation of 0.1909.
    assert found == [
        [UNTOUCHED, "", "1", "0.3750", "0.3750", "-0.1250 ± 0.2450", "8 s"],
        ["defaults", "", "2", "0.7500", "0.7500", "–", "8 s"],
        [RANDOM, "`--loss infonce --negatives 1 --topk 1`", "3", "0.5000", "0.5000",
         "+0.0417 ± 0.2161", "8 s"],
        [GUIDE, "rate 0.0001, 4 epochs", "1", "0.7500", "0.7500", "+0.2500 ± 0.4900", "8 s"],
    ]  # fmt: skip


def test_a_peer_is_tuned_on_a_split_that_the_table_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def trained(data: Data, split: int, known: Row, peer: Peer, options: Options) -> Row:
        asked.append((split, known["learning_rate"], known["epochs"]))
        value = 1.0 if (known["learning_rate"], known["epochs"]) == (1e-4, 2) else 0.5
        return {"rr": [value], "ndcg10": [value]}

    monkeypatch.setattr(recipes, "peer_cell", trained)
    cells = Cells(tmp_path / "cells.jsonl")
    options = Options(tmp_path, "fp32", ())
    for seed in (0, 1):
        recipes.add(cells, (DATA, 0, seed), GUIDE, options)
    tuning = [(TUNING, setting["learning_rate"], setting["epochs"]) for setting in GRID]
    assert asked == [*tuning, (0, 1e-4, 2), (0, 1e-4, 2)]
    # Another call finds what was kept.
    recipes.add(Cells(cells.log), (DATA, 0, 1), GUIDE, options)
    assert len(asked) == len(GRID) + 2


@pytest.mark.parametrize(
    ("name", "flags"), [(n, f) for n, f in RECIPES.items() if not isinstance(f, Peer)]
)
def test_every_recipe_is_a_run_that_is_not_refused(
    name: str, flags: tuple[str, ...], backbone: Path, tmp_path: Path
) -> None:
    # The tiny model takes fewer tokens than the recipe has.
    flags = tuple("16" if word == "128" else word for word in flags)
    common = ["run", "--data", one_file(tmp_path), "--model", backbone, "--test-share", 0]
    call = [*common, *flags, "--dry-run", "--output-dir", tmp_path / "out"]
    done = CliRunner().invoke(program, [str(word) for word in call])
    assert done.exit_code == 0, (name, done.output)


def test_the_sample_has_a_split_for_tuning(tmp_path: Path) -> None:
    data = recipes.load("sample", tmp_path, tmp_path, None)
    assert (len(data.queries), len(data.corpus)) == (50, 1231)
    assert [len(test) for test in data.tests] == [15] * (TUNING + 1)
    assert all(len(truths) == 1 for truths in data.truths)


def test_the_page_has_the_place_of_the_table() -> None:
    text = recipes.DOCUMENT.read_text(encoding="utf-8")
    start, end = recipes.MARKERS
    assert text.count(start) == text.count(end) == 1
    assert text.index(start) < text.index(end)


def test_the_losses_of_the_peers_are_known() -> None:
    assert {one.loss for one in RECIPES.values() if isinstance(one, Peer)} == set(LOSSES)
