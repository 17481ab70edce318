"""The points of questions."""

from __future__ import annotations

from itertools import combinations
from math import dist

from stage2.report.figures.ranks import POINTS, ranks
from tests.comparisons import unknown_comparison
from tests.report.figures.views import HOSTILE, Drawn, row, view


def places(drawn: Drawn) -> list[tuple[float, float]]:
    starts = [shape.get("d", "")[1:].split("m")[0].split() for shape in drawn.all("path")]
    return [(float(x), float(y)) for x, y in starts]


def test_a_point_is_a_link_with_its_question_as_name() -> None:
    drawn = Drawn(ranks(view(rows=[row(7, 2, number=3)])))
    (link,) = drawn.all("a")
    assert link.get("href") == "#question-3"
    assert link[0].text == "7 → 2\nq3: question 3"
    # A picture with links is no image, which would hide them.
    assert drawn.root.get("role") == "group"


def test_above_and_below_the_diagonal_are_other_shapes() -> None:
    rows = [row(7, 2), row(2, 7), row(3, 3), row(7, 2, held_out=False)]
    drawn = Drawn(ranks(view(rows=rows)))
    shapes = {}
    for shape in drawn.all("path"):
        (x, y), kind = places(drawn)[drawn.all("path").index(shape)], shape.get("class", "")
        shapes[kind] = shape.get("d", "").partition("m")[2]
        # Both axes have 1 at their start: up is better. The square begins at (34, 8).
        up = (x - 34) - (y - 8)
        assert (up > 1, up < -1) == ("better" in kind, "worse" in kind)
    assert shapes.keys() == {"better", "worse", "same", "better hollow"}
    assert len(set(shapes.values())) == 3
    assert "Hollow" in drawn.figure.caption


def test_points_at_one_place_stand_apart_and_near_it() -> None:
    drawn = Drawn(ranks(view(rows=[row(1, 1, number=number) for number in range(60)])))
    found = places(drawn)
    assert min(dist(one, other) for one, other in combinations(found, 2)) > 1
    assert max(dist(found[0], other) for other in found) <= 16
    assert "Hollow" not in drawn.figure.caption


def test_of_many_questions_some_are_drawn_and_this_is_said() -> None:
    rows = [row(1 + number % 50, 1, number=number) for number in range(POINTS + 1)]
    drawn = Drawn(ranks(view(rows=rows)))
    assert len(drawn.all("a")) == POINTS // 2 + 1
    assert "1,001 of 2,001 questions" in drawn.figure.caption


def test_questions_that_are_not_held_out_are_said_to_be() -> None:
    caption = Drawn(ranks(view(rows=[row(2, 1, held_out=False)]))).figure.caption
    assert "None of these questions is known to be held out" in caption


def test_foreign_text_is_escaped() -> None:
    drawn = Drawn(ranks(view(rows=[row(1, 1) | {"id": HOSTILE, "question": HOSTILE}])))
    assert drawn.all("script") == []
    assert drawn.titles() == [f"1 → 1\n{HOSTILE}: {HOSTILE}"]
    turned = Drawn(ranks(view(rows=[row(1, 1) | {"id": "a\u202eb"}])))
    assert turned.titles() == ["1 → 1\na\ufffdb: question 0"]


def test_one_model_has_no_before_and_after() -> None:
    assert ranks(view(rows=[row(1, 1)], comparison=unknown_comparison(1))) is None
    assert ranks(view(rows=[row(1, 1) | {"after": None}])) is None
    assert ranks(view()) is None
