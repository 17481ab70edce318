"""A second source of negatives, named by --second-source."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl, tree


@pytest.fixture
def call(corpus: dict[str, Path], model_dir: Path) -> list[object]:
    data = [*data_flags(corpus), "--model", model_dir, "--precision", "fp32"]
    return ["mine", *data, "--max-score", 2, "--negatives", 4]


def write_run(path: Path) -> Path:
    """Write the run of an engine that has the same four chunks for each question."""
    lines = [
        f"q{i:02} Q0 c{chunk:02} {rank} {9 - rank} engine\n"
        for i in range(12)
        for rank, chunk in enumerate((19, 18, 17, 16))
    ]
    path.write_text("".join(lines))
    return path


def test_the_source_of_each_negative_is_told(
    stage2: Stage2, call: list[object], tmp_path: Path
) -> None:
    run, out = write_run(tmp_path / "engine.trec"), tmp_path / "out"
    done = stage2(*call, "--second-source", run)
    assert "negatives by source: " in done.stderr
    rows, samples = read_jsonl(out / files.NEGATIVE_SOURCES), read_jsonl(out / files.CONSTRUCTED)
    for row, sample in zip(rows, samples, strict=True):
        assert row["qa_id"] == sample["qa_id"]
        assert row["negative_chunk_ids"] == sample["negative_chunk_ids"]
        named = dict(zip(row["negative_chunk_ids"], row["sources"], strict=True))
        assert len(named) == 4
        of_run = [chunk for chunk, source in named.items() if source == "engine.trec"]
        assert len(of_run) == 2
        # The engine's best that the model has not mined itself.
        own = [chunk for chunk in ("c19", "c18", "c17", "c16")
               if named.get(chunk) != "model" and chunk != sample["gt_chunk_id"]]  # fmt: skip
        assert set(of_run) == set(own[:2])
    # By falling score of the model, whoever found them.
    scored = files.read_json(out / files.EVALUATION)
    for row in scored:
        scores = [row["similarities"][str(i)] for i in range(1, 5)]
        assert scores == sorted(scores, reverse=True)
    record = files.read_json(out / files.RUN)
    assert record["stages"]["mine"]["made_from"]["second_source"] == files.sha256(run)
    assert files.NEGATIVE_SOURCES in record["files"]

    before = tree(out)
    run.write_text(run.read_text().replace("c16", "c15"))
    assert "second_source was" in stage2(*call, "--second-source", run, exit_code=2).stderr
    assert tree(out) == before


def test_a_compressed_run_holds_no_more_than_is_said(
    stage2: Stage2, call: list[object], tmp_path: Path
) -> None:
    packed = tmp_path / "engine.trec.gz"
    packed.write_bytes(gzip.compress(write_run(tmp_path / "engine.trec").read_bytes()))
    flags = [*call, "--second-source", packed, "--max-decompressed"]
    assert str(packed) in stage2(*flags, 20, exit_code=2).stderr
    assert not (tmp_path / "out").exists()
    stage2(*flags, "1MB")


def test_margins_are_by_the_scores_of_the_model(
    stage2: Stage2, call: list[object], tmp_path: Path
) -> None:
    stage2(*call, "--second-source", "bm25", "--second-share", 1, "--absolute-margin", 0.001)
    out = tmp_path / "out"
    found = np.concatenate([row["sources"] for row in read_jsonl(out / files.NEGATIVE_SOURCES)])
    assert set(found) == {"bm25"}
    for row in files.read_json(out / files.EVALUATION):
        truth, *others = (row["similarities"][str(i)] for i in range(len(row["similarities"])))
        assert all(score < truth for score in others)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--second-source", "nowhere.trec"], "expected bm25, or the TREC run of any engine"),
        (["--second-source", "bm25", "--negatives", 1], "leaves none for the model"),
        (["--second-share", 0.2], "it works with --second-source bm25|FILE"),
        (["--second-source", "bm25", "--source", "candidates"], "with --source corpus"),
    ],
    ids=str,
)
def test_what_gives_no_negative_is_refused(
    stage2: Stage2, call: list[object], tmp_path: Path, flags: list[object], said: str
) -> None:
    assert said in stage2(*call, *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_a_run_that_mines_takes_no_second_source(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    run = write_run(tmp_path / "engine.trec")
    call = ["mine", *data_flags(corpus)[:4], "--source", "corpus", "--run", run, "--negatives", 2]
    refused = stage2(*call, "--second-source", "bm25", exit_code=2)
    assert "with a model, vectors or an endpoint, not with a run alone" in refused.stderr
