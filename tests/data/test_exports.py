"""The table of formats of a mined set, and what each does not hold."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stage2.config import InputConfig
from stage2.data.conversion import convert
from stage2.data.exports import SHAPES, left_out, no_place_for
from stage2.data.tables import Candidate, Chunk, Question
from stage2.variants import EXPORTS
from tests.conftest import read_jsonl
from tests.reference import mined_rows
from tests.small import write_jsonl

TEXT = st.text(min_size=1, max_size=4)
SCORE = st.floats(-1, 1, width=32)
CHUNK = st.builds(Chunk, TEXT, st.just(""), TEXT)
QUESTION = st.builds(
    Question, TEXT, TEXT,
    st.lists(st.builds(Candidate, CHUNK, st.sampled_from([1.0, 2.0]), SCORE), min_size=1,
             max_size=3).map(tuple),
    st.lists(st.builds(Candidate, CHUNK, st.just(0.0), SCORE), max_size=3).map(tuple),
    st.sampled_from(["", "yes"]),
)  # fmt: skip


def mined(*negatives: int, grade: float = 1, answer: str = "") -> list[Question]:
    own = (Candidate(Chunk("own", id="p"), grade, 0.5),)
    return [
        Question(
            f"question {i}", f"q{i}", own,
            tuple(Candidate(Chunk(f"text {j}", id=f"n{j}"), 0, 0.1) for j in range(count)),
            answer,
        )
        for i, count in enumerate(negatives)
    ]  # fmt: skip


def test_every_format_has_its_shape() -> None:
    assert SHAPES.keys() == {name for name, one in EXPORTS.items() if one.of == "mined set"}


def test_what_a_format_has_no_place_for() -> None:
    assert no_place_for("pairs", mined(1)) == ["ids", "scores"]
    everything = mined(1, grade=2, answer="yes")
    assert no_place_for("flag-embedding", everything) == ["ids", "grades", "answers"]
    assert no_place_for("tevatron", everything) == ["scores", "grades"]
    assert no_place_for("labeled-lists", everything) == ["ids", "scores", "answers"]
    assert no_place_for("pairs", []) == []


def test_which_questions_are_left_out() -> None:
    assert left_out("pairs", mined(0, 1, 2)) == []
    (told,) = left_out("triplets", mined(0, 1, 2))
    assert told.startswith("1 of 3 questions have no negative")
    told, more = left_out("n-tuples", mined(0, 1, 2))
    assert more.startswith("1 of 3 questions have fewer than 2 negatives")
    assert len(list(SHAPES["n-tuples"].rows(mined(0, 1, 2)))) == 1


@settings(max_examples=15, deadline=None)
@given(st.lists(QUESTION, max_size=5))
def test_each_format_has_the_rows_of_its_twin(questions: list[Question]) -> None:
    assert mined_rows.SHAPES.keys() == SHAPES.keys()
    for name, twin in mined_rows.SHAPES.items():
        assert list(SHAPES[name].rows(questions)) == twin(questions)


def test_a_converted_data_set_has_the_rows_of_a_mined_set(tmp_path: Path) -> None:
    """Both are made by one writer: see `data.formats`."""
    questions = mined(2, 2, grade=2, answer="yes")
    source = write_jsonl(tmp_path / "in.jsonl", SHAPES["tevatron"].rows(questions))
    for to, name in (("tevatron", "tevatron"), ("sentence-transformers", "n-tuples")):
        convert(InputConfig(data=str(source)), tmp_path / f"{name}.jsonl", to)
        assert read_jsonl(tmp_path / f"{name}.jsonl") == list(SHAPES[name].rows(questions))
    source = write_jsonl(tmp_path / "flag.jsonl", SHAPES["flag-embedding"].rows(questions))
    convert(InputConfig(data=str(source)), tmp_path / "out.jsonl", "flagembedding")
    assert read_jsonl(tmp_path / "out.jsonl") == list(SHAPES["flag-embedding"].rows(questions))
