"""The benchmark of the choice among candidates: its table, from cells that are made here."""

from __future__ import annotations

from benches import choice
from benches.defaults import OURS, UNTOUCHED


def candidate(split: int, name: str, dev: float, held_out: float) -> dict[str, object]:
    place = {"data": "XQuAD", "split": split, "seed": 0}
    return place | {"candidate": name, "dev": dev, "held_out": held_out}


def shipped(split: int, name: str, ranks: list[float]) -> dict[str, object]:
    place = {"data": "XQuAD", "split": split, "seed": 0}
    return place | {"method": OURS, "shipped": name, "rr": ranks}


def test_a_rule_loses_what_the_best_candidate_has_more() -> None:
    rows = [
        candidate(0, UNTOUCHED, 0.5, 0.5),
        candidate(0, "epoch 1", 0.75, 0.625),
        candidate(0, "epoch 2", 0.6, 0.75),
        shipped(0, "epoch 1, refitted", [0.5, 0.875]),
        candidate(1, UNTOUCHED, 0.5, 0.5),
        candidate(1, "epoch 1", 0.5, 0.25),
        shipped(1, UNTOUCHED, [0.25, 0.75]),
        # This run has no measured candidates, and no row.
        shipped(2, "epoch 1", [1.0, 1.0]),
    ]
    lines = choice.table(rows).splitlines()
    assert len(lines) == 5
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells == [
        ["XQuAD", "0", "0", "epoch 2", "0.7500",
         "epoch 1 (-0.1250)", "epoch 1, refitted (-0.0625)"],
        ["XQuAD", "1", "0", "untouched", "0.5000", "untouched (+0.0000)", "untouched (+0.0000)"],
        ["**all**", "", "", "", "", "**-0.0625**", "**-0.0312**"],
    ]  # fmt: skip
