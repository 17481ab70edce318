"""`stage2 convert`: what it says, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Stage2, read_jsonl
from tests.small import write_jsonl

GOOD = {"query": "who?", "pos": ["he"], "neg": ["it"], "prompt": "P"}


def test_it_says_what_it_wrote_and_what_has_no_place(stage2: Stage2, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [GOOD])
    done = stage2("convert", source, tmp_path / "out.parquet")
    assert "left out, because parquet has no place for them: 1 prompts" in done.stderr
    assert "parquet: 1 questions, 2 chunks and 1 pairs of them in" in done.stderr
    again = stage2("convert", source, tmp_path / "out.parquet", exit_code=2)
    assert "is there already" in again.stderr


def test_bad_rows_stand_beside_the_target(stage2: Stage2, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [GOOD, {**GOOD, "pos": "he"}])
    call = ["convert", source, tmp_path / "out", "--to", "trec"]
    assert f"{source}:2:" in stage2(*call, exit_code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    done = stage2(*call, "--on-error", "skip")
    assert "1 rows skipped: wrong_type" in done.stderr
    [row] = read_jsonl(tmp_path / "out.rejected.jsonl")
    assert (row["line"], row["reason"]) == (2, "wrong_type")
    # A folder that is named as one has them beside it too.
    folder = tmp_path / "again"
    stage2("convert", source, f"{folder}/", "--to", "trec", "--on-error", "skip")
    assert read_jsonl(tmp_path / "again.rejected.jsonl") == [row]
    assert not list(folder.glob("*rejected*")) + list(folder.glob(".*"))


def test_a_flag_without_effect_and_an_unknown_suffix_are_refused(
    stage2: Stage2, tmp_path: Path
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [GOOD])
    call = ["convert", source, tmp_path / "out"]
    refused = stage2(*call, "--columns", "question=query", exit_code=2)
    assert "--columns question=query has no effect here: it works with a --data" in refused.stderr
    unknown = tmp_path / "in.xlsx"
    unknown.write_bytes(b"PK\x03\x04")
    refused = stage2("convert", unknown, tmp_path / "out", exit_code=2)
    assert "in.xlsx: a data set of no format that is known" in refused.stderr
    misspelt = write_jsonl(tmp_path / "bad.jsonl", [{"qurey": "a", "positive": "b"}])
    refused = stage2("convert", misspelt, tmp_path / "out", exit_code=2)
    assert "whose first row has 'positive', 'qurey'; did you mean" in refused.stderr
