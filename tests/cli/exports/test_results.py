"""Results of each question, read by DuckDB and pandas."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas
import pytest

from stage2.evaluation.results import SCHEMA
from stage2.utils import files
from tests.conftest import Stage2, read_jsonl


def test_a_table_with_the_run_s_own_ranks(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    for kind in ("jsonl", "parquet"):
        where = ["--as", kind, "--output-dir", tmp_path / kind]
        stage2("export", finished, "--to", "results", *where)
    lines = tmp_path / "jsonl" / "results.jsonl"
    table = pandas.read_parquet(tmp_path / "parquet" / "results.parquet")
    assert table.to_dict("records") == read_jsonl(lines)
    assert set(table["schema"]) == {SCHEMA}
    ours = read_jsonl(finished / files.PER_QUESTION)
    query = (
        "select system, avg(rank) from read_json(?) where source = 'corpus' group by all "
        "order by all"
    )
    found = duckdb.execute(query, [str(lines)]).fetchall()
    assert [name for name, _ in found] == ["after", "before", "bm25", "untouched_backbone"]
    for name, mean in found:
        ranks = [row["ranks"]["corpus"][name] for row in ours]
        assert mean == pytest.approx(sum(ranks) / len(ranks))


def test_a_run_of_before_says_so(stage2: Stage2, corpus: dict[str, Path], model_dir: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(
        "stage2.cli.exports.results.files.read_jsonl",
        lambda path: [{"qa_id": "a", "ranks": {}} for _ in path.read_text().splitlines()],
    )
    stage2("evaluate", "--model", model_dir, "--qa", corpus["qa"], "--chunks", corpus["chunks"],
           "--output-dir", tmp_path / "run")  # fmt: skip
    refused = stage2("export", tmp_path / "run", "--to", "results", exit_code=2).stderr
    assert "has ranks and no metrics" in refused
    assert not (tmp_path / "out").exists()
