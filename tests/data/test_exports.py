"""The table of formats of a mined set, and what each does not hold."""

from __future__ import annotations

from stage2.data.exports import SHAPES, left_out, no_place_for
from stage2.data.mined import Mined, Passage
from stage2.variants import EXPORTS


def mined(*negatives: int, grade: float = 1, answer: str = "") -> list[Mined]:
    own = (Passage("p", "own", 0.5, grade),)
    return [
        Mined(
            f"q{i}", f"question {i}", answer, own,
            tuple(Passage(f"n{j}", f"text {j}", 0.1, 0) for j in range(count)),
        )
        for i, count in enumerate(negatives)
    ]  # fmt: skip


def test_every_format_has_its_shape() -> None:
    assert SHAPES.keys() == {name for name, one in EXPORTS.items() if one.of == "mined set"}


def test_what_a_format_has_no_place_for() -> None:
    assert no_place_for("pairs", mined(1)) == ["ids", "scores"]
    everything = mined(1, grade=2, answer="yes")
    assert no_place_for("flag-embedding", everything) == ["ids", "grades", "answers"]
    assert no_place_for("tevatron", everything) == ["scores", "grades", "answers"]
    assert no_place_for("labeled-lists", everything) == ["ids", "scores", "answers"]
    assert no_place_for("pairs", []) == []


def test_which_questions_are_left_out() -> None:
    assert left_out("pairs", mined(0, 1, 2)) == []
    (told,) = left_out("triplets", mined(0, 1, 2))
    assert told.startswith("1 of 3 questions have no negative")
    told, more = left_out("n-tuples", mined(0, 1, 2))
    assert more.startswith("1 of 3 questions have fewer than 2 negatives")
    assert len(list(SHAPES["n-tuples"].rows(mined(0, 1, 2)))) == 1
