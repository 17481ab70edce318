"""Vectors with their ids, read by numpy and Polars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest

from stage2 import load_model
from stage2.utils import files
from tests.conftest import Stage2, read_jsonl
from tests.small import write_jsonl


def test_the_vectors_are_those_of_the_models(
    stage2: Stage2, finished: Path, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    told = stage2("export", finished, "--to", "embeddings").stderr
    assert "have vectors of their entities too" in told
    stage2(
        "export", finished, "--to", "embeddings", "--as", "parquet", "--output-dir", tmp_path / "p"
    )
    rows = {
        "questions": [(row["qa_id"], row["question"]) for row in read_jsonl(corpus["qa"])],
        "corpus": [(row["chunk_id"], row["text"]) for row in read_jsonl(corpus["chunks"])],
    }
    for which, path in (("before", model_dir), ("after", finished / files.SHIPPED_MODEL)):
        model = load_model(path)
        for name, texts in rows.items():
            vectors = np.load(tmp_path / "out" / which / f"{name}.npy", allow_pickle=False)
            ids = (tmp_path / "out" / which / f"{name}.ids.txt").read_text("utf-8").splitlines()
            assert ids == [own for own, _ in texts]
            expected = model.encode([text for _, text in texts]).mu
            np.testing.assert_allclose(vectors, expected, atol=1e-5)
            table = polars.read_parquet(tmp_path / "p" / which / f"{name}.parquet")
            assert table["id"].to_list() == ids
            assert table.schema["embedding"] == polars.Array(polars.Float32, vectors.shape[1])
            assert (table["embedding"].to_numpy() == vectors).all()


@pytest.mark.parametrize("broken", ["a\nb", "a\u2028b"])
def test_an_id_that_needs_two_lines_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path, broken: str
) -> None:
    rows = read_jsonl(corpus["qa"])
    rows[0]["qa_id"] = broken
    data = ["--qa", write_jsonl(tmp_path / "qa.jsonl", rows), "--chunks", corpus["chunks"]]
    stage2("mine", *data, "--model", model_dir, "--topk", 1, "--output-dir", tmp_path / "run")
    refused = stage2("export", tmp_path / "run", "--to", "embeddings", exit_code=2).stderr
    assert "has a line break" in refused
    refused = stage2("export", tmp_path / "run", "--to", "trec", exit_code=2).stderr
    assert "has white space" in refused
    assert not (tmp_path / "out").exists()
