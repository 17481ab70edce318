"""The benchmark of where negatives come from: its table, from cells that are made here."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from benches import mining
from benches.defaults import UNTOUCHED, Data
from stage2.cli.main import program
from tests.beir import one_file


def cell(split: int, method: str, ranks: list[float]) -> dict[str, object]:
    return {"data": "XQuAD", "split": split, "seed": 0, "method": method, "rr": ranks}


def test_a_recipe_is_compared_where_the_first_was_measured_too() -> None:
    random = "1 random"
    rows = [
        cell(0, UNTOUCHED, [0.5, 0.5]),
        cell(0, mining.FIRST, [1.0, 0.5]),
        cell(0, random, [0.5, 0.25]),
        cell(1, mining.FIRST, [1.0, 1.0]),
    ]
    lines = mining.table(rows).splitlines()
    cells = [[one.strip() for one in line.strip("|").split("|")] for line in lines[2:]]
    found = {line[0]: line[1:] for line in cells}
    assert list(found) == [UNTOUCHED, *mining.RECIPES]
    assert found[UNTOUCHED][:5] == ["", "0.5000", "–", "**0.5000**", "-0.2500"]
    assert found[mining.FIRST] == ["", "0.7500", "1.0000", "**0.8750**", "–", "–"]
    assert found[random][1:5] == ["0.3750", "–", "**0.3750**", "-0.3750"]
    assert found["1 of BM25"][1:] == ["–", "–", "–", "–", "–"]


def test_it_is_whole_with_every_recipe_in_every_experiment() -> None:
    data = Data("XQuAD", [], [], [], [[0], [1]])
    rows = [cell(split, method, [1.0]) for split in range(2)
            for method in (UNTOUCHED, *mining.RECIPES)]  # fmt: skip
    assert mining.is_whole([data], rows, 1)
    assert not mining.is_whole([data], rows[:-1], 1)
    assert not mining.is_whole([data], rows, 2)


def test_every_recipe_is_a_run_that_is_not_refused(model_dir: Path, tmp_path: Path) -> None:
    common = ["run", "--data", one_file(tmp_path), "--model", model_dir, "--test-share", 0]
    for name, flags in mining.RECIPES.items():
        call = [*common, *flags, "--dry-run", "--output-dir", tmp_path / "out"]
        done = CliRunner().invoke(program, [str(word) for word in call])
        assert done.exit_code == 0, (name, done.output)


def test_the_page_has_the_place_of_the_table() -> None:
    text = mining.DOCUMENT.read_text(encoding="utf-8")
    start, end = mining.MARKERS
    assert text.count(start) == text.count(end) == 1
    assert text.index(start) < text.index(end)
