"""A corpus, questions and judgements as configurations of a data set on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stage2._core import InputError
from stage2.call import Call, data_files, names_of_data
from stage2.config import InputConfig, Settings
from stage2.data.formats import read
from stage2.utils.errors import BadInputError
from stage2.variants import format_of
from tests.conftest import Stage2
from tests.formats import questions_of, read_file

CORPUS = [{"_id": f"d{i}", "title": f"title {i}", "text": f"text {i}"} for i in range(6)]
QUERIES = [{"_id": f"q{i}", "text": f"what is {i}?"} for i in range(4)]


def judgements(*rows: tuple[int, int, int]) -> list[dict[str, Any]]:
    return [{"query-id": f"q{q}", "corpus-id": f"d{d}", "score": grade} for q, d, grade in rows]


SIDES = {
    "train": judgements((0, 0, 1), (0, 1, 0), (1, 2, 2)),
    "test": judgements((2, 3, 1), (3, 4, 1), (3, 5, 2)),
}


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write(folder: Path, suffix: str, qrels: str = "default", **sides: Any) -> Path:
    """Write the three configurations as MTEB has them, with a README that names them."""
    write_table(folder / "corpus" / f"corpus-00000-of-00002.{suffix}", CORPUS[:4])
    write_table(folder / "corpus" / f"corpus-00001-of-00002.{suffix}", CORPUS[4:])
    write_table(folder / f"queries.{suffix}", QUERIES)
    rows = sides or SIDES
    for side, judged in rows.items():
        write_table(folder / "qrels" / f"{side}.{suffix}", judged)
    told = "".join(f"\n  - {{split: {side}, path: 'qrels/{side}.*'}}" for side in rows)
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: {qrels}\n  data_files:{told}\n"
        "- config_name: corpus\n  data_files: [{split: corpus, path: 'corpus/*'}]\n"
        "- config_name: queries\n  data_files: [{split: queries, path: 'queries.*'}]\n---\n"
    )
    return folder


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "arrow"])
def test_the_three_parts_are_one_data_set(suffix: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", suffix)
    assert format_of(folder, None) == "hub"
    found = {one.id: one for one in questions_of(read_file(folder))}
    relevant = {
        name: [
            (each.chunk.id, each.chunk.title, each.chunk.text, each.grade) for each in one.relevant
        ]
        for name, one in found.items()
    }
    assert relevant == {
        "q0": [("d0", "title 0", "text 0", 1)],
        "q1": [("d2", "title 2", "text 2", 2)],
        "q2": [("d3", "title 3", "text 3", 1)],
        "q3": [("d5", "title 5", "text 5", 2), ("d4", "title 4", "text 4", 1)],
    }
    assert [each.chunk.id for each in found["q0"].negatives] == ["d1"]
    assert {name: one.side for name, one in found.items()} == {
        "q0": "train", "q1": "train", "q2": "test", "q3": "test"
    }  # fmt: skip
    settings = Settings(data=str(folder))
    contents = read(settings, False)
    assert len(contents.dataset.chunk_ids) == 6
    assert contents.sides is not None
    assert {side: len(ids) for side, ids in contents.sides.items()} == {
        "train": 2, "dev": 0, "test": 2
    }  # fmt: skip
    # Every file that is read is hashed, and an earlier call tells the same sides by their names.
    known = names_of_data(data_files(InputConfig(data=str(folder))))
    assert len(data_files(InputConfig(data=str(folder)))) == 6
    assert Call(settings, data_files=known).given_sides == {"train", "test"}


@pytest.mark.parametrize("qrels", ["qrels", "default", "en-judged"])
def test_judgements_of_one_split_are_all(qrels: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "parquet", qrels, test=SIDES["test"])
    found = [one for one in questions_of(read_file(folder)) if one.relevant]
    assert [(one.id, one.side) for one in found] == [("q2", None), ("q3", None)]
    assert Call(Settings(data=str(folder))).given_sides == set()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (judgements((7, 0, 1)), r"test.parquet, row 1: there is no question 'q7'"),
        (judgements((2, 3, 1), (2, 9, 1)), r"test.parquet, row 2: there is no chunk 'd9'"),
        ([{"query-id": "q2", "corpus-id": "d3", "score": 0.5}], "row 1: the grade is 0.5"),
        ([{"query-id": "q2", "corpus-id": "d3"}], 'row 1: the row has no "score"'),
        ([{"query-id": "q2", "corpus-id": "d3", "score": "1"}], '"score" is a text; expected a n'),
    ],
)
def test_a_wrong_judgement_is_named(rows: list[dict[str, Any]], said: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "parquet", train=SIDES["train"], test=rows)
    with pytest.raises(InputError, match=said):
        read_file(folder)
    if "q7" in said:
        left = read_file(folder, on_error="skip").rejected
        assert [(one.line, one.reason) for one in left] == [(1, "unknown_question")]


def test_what_is_damaged_or_of_another_kind_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "parquet")
    (folder / "queries.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"queries.parquet, row 1: .*expected a whole table"):
        read_file(folder)
    (folder / "queries.parquet").unlink()
    (folder / "queries.csv").write_text("_id,text\nq0,what?\n")
    with pytest.raises(BadInputError, match=r"queries.csv: expected a table in .jsonl, .*.arrow"):
        read_file(folder)
    (folder / "queries.csv").unlink()
    with pytest.raises(BadInputError, match=r"files queries.\*, and none of them is here; fetch"):
        read_file(folder)


def test_a_question_on_two_sides_is_named(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "data", "jsonl", train=judgements((0, 0, 1)), test=judgements((0, 1, 1))
    )
    with pytest.raises(InputError, match="jsonl:1:1: the question 'q0' is judged in another file"):
        read_file(folder)


def test_it_is_evaluated_from_the_command_line(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "data", "parquet")
    said = stage2("evaluate", "--data", folder, "--model", model_dir, "--negatives", 2)
    assert "MRR" in said.stdout
