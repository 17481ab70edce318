"""CSV and TSV: cells, quotes, and the places of faults."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2._core import InputError
from stage2.data.delimited import cell_starts
from stage2.utils.errors import BadInputError
from tests.formats import questions_of, read_file


def write(folder: Path, text: str, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_cells_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    long = "w" * 200_000
    text = f'\ufeffquestion,answer\r\n"a, ""b""\nc",d\r\n\r\n日本,"{long}"\r\n'
    path = write(tmp_path, text)
    found = [(one.text, one.relevant[0].chunk.text) for one in questions_of(read_file(path))]
    assert found == [('a, "b"\nc', "d"), ("日本", long)]
    packed = tmp_path / "y.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert questions_of(read_file(packed)) == questions_of(read_file(path))


def test_a_label_says_which_text_answers(tmp_path: Path) -> None:
    rows = "q,a,2\nq,b,0\nq,c,-1\nother,a,1\nq,d,0.5\n"
    path = write(tmp_path, f"query,text,label\n{rows}")
    [first, second] = questions_of(read_file(path))
    assert [(one.chunk.text, one.grade) for one in first.relevant] == [("a", 2), ("d", 0.5)]
    assert [(one.chunk.text, one.grade) for one in first.negatives] == [("b", 0), ("c", -1)]
    assert [one.chunk.text for one in second.relevant] == ["a"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,b\nc\n", "x.csv:3:1: the row has 1 cells; expected 2"),
        ("a,b\nc,d,e\n", "x.csv:3:5: the row has 3 cells; expected 2"),
        ('a,b\n"c\nd",\n', 'x.csv:4:4: the row has no "answer"; expected that member'),
        ('a,b\r\n"c,\r\n""d""",""\r\n', 'x.csv:4:8: the row has no "answer"'),
        ("a,b\n日本,", 'x.csv:3:4: the row has no "answer"'),
        ("a,  \n", 'x.csv:2:3: "answer" is empty or only white space'),
        (",b\n", 'x.csv:2:1: the row has no "question"'),
        ('a,b\n"c"d,e\n', "x.csv:3:1: the row is no row of a table"),
        ('a,b\nc,"d\ne"f\n', "x.csv:3:3: the row is no row of a table"),
        ('a,b\n"c,e\n', "x.csv:3:1: the row is no row of a table"),
        ("", "the file has no rows; expected at least one question"),
    ],
)
def test_a_fault_is_named_by_the_place_of_its_cell(tmp_path: Path, rows: str, message: str) -> None:
    path = write(tmp_path, f"question,answer\n{rows}")
    with pytest.raises(InputError, match=re.escape(message)):
        read_file(path)


def test_a_cell_of_numbers_and_a_name_have_their_places_too(tmp_path: Path) -> None:
    path = write(tmp_path, 'query,text,label\nq,"a\nb",1\n"q",c,x\n')
    with pytest.raises(InputError, match=r"x.csv:4:7: \"label\" is 'x'; expected a number") as told:
        read_file(path)
    assert (told.value.line, told.value.column) == (4, 7)
    path = write(tmp_path, "query,text,label\nq,a,1e39\n")
    with pytest.raises(InputError, match=r'x.csv:2:5: "label" is no number that float32 holds'):
        read_file(path)
    path = write(tmp_path, '"query","text","query"\nq,a,b\n')
    with pytest.raises(BadInputError, match=r"x.csv:1:16: the column 'query' is there twice"):
        read_file(path)
    # In TSV a quote is a character, so that a cell ends with its line.
    path = write(tmp_path, 'query\ttext\n"q\t\n', "x.tsv")
    with pytest.raises(InputError, match=r'x.tsv:2:4: the row has no "text"'):
        read_file(path)


CELLS = st.lists(st.text(st.sampled_from('ab",\t\r\n 日')), min_size=1, max_size=5)


@given(cells=CELLS, quotes=st.booleans(), end=st.sampled_from(["", "\n", "\r\n"]))
def test_the_places_of_cells_are_those_of_a_writer(
    cells: list[str], quotes: bool, end: str
) -> None:
    """The row is written cell by cell, and the place before each is what was written."""
    text, places = "", []
    for number, cell in enumerate(cells):
        text += "," if number else ""
        lines = re.split("\r\n|\r|\n", text)
        places.append((len(lines) - 1, len(lines[-1]) + 1))
        if quotes:
            escaped = cell.replace('"', '""')
            text += f'"{escaped}"'
        else:
            text += re.sub("[\r\n,]", "", cell)
    assert cell_starts(text + end, ",", quotes) == places


def test_skipping_leaves_bad_rows_out(tmp_path: Path) -> None:
    path = write(tmp_path, "question,answer,label\na,b,1\nc,d,x\n,e,1\nf\ng,h,1\n")
    found = read_file(path, on_error="skip")
    assert [one.text for one in questions_of(found)] == ["a", "g"]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (3, "wrong_type"), (4, "missing_field"), (5, "wrong_columns")
    ]  # fmt: skip
    # The rows are as they are in the file.
    assert [row.row for row in found.rejected] == ["c,d,x", ",e,1", "f"]


def test_columns_are_named_and_a_misspelt_one_is_suggested(tmp_path: Path) -> None:
    path = write(tmp_path, "quesion,positve,id\na,b,c\n")
    with pytest.raises(
        BadInputError, match=r"no column is a question.*mean 'question' by 'quesion'"
    ):
        read_file(path)
    found = read_file(path, columns="question=quesion,positive=positve,chunk_id=id")
    assert found.chunk_ids == ["c"]
    with pytest.raises(BadInputError, match=r"has no column 'questions'.*mean 'quesion'"):
        read_file(path, columns="question=questions")
    twice = write(tmp_path, "text,text,query\na,b,c\n", "y.csv")
    with pytest.raises(BadInputError, match="the column 'text' is there twice"):
        read_file(twice)


def test_a_quote_in_tsv_is_a_character(tmp_path: Path) -> None:
    path = write(tmp_path, 'query\ttext\n"a" b\t"c\n"d"\te\n', "x.tsv")
    found = read_file(path)
    assert [one.text for one in questions_of(found)] == ['"a" b', '"d"']
    assert "in 1 rows a cell is in double quotes" in found.notes[1]
