"""Reading the corpora that people have: a BEIR folder and a Parquet file, of 1,000,000 rows each.

Polars reads columns. stage2 reads a data set: it checks the rows, finds repeated ids and joins the
judgements to them. The time of pyarrow alone, which reads what the core does not, stands beside.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pyarrow
import pyarrow.parquet

from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect
from stage2.config import InputConfig
from stage2.data import formats
from stage2.data.dataset import Dataset

ROWS = 1_000_000
# Rows that are made and written at a time.
BATCH = 50_000
# stage2 may take 1.2 times as long.
TARGET = 1 / 1.2


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(ROWS)
    beir, parquet = bench.folder / "beir", bench.folder / "rows.parquet"
    write_beir(beir, count)
    write_parquet(parquet, count)

    def with_pyarrow() -> int:
        # Each batch is dropped.
        with pyarrow.parquet.ParquetFile(parquet) as file:
            return sum(batch.num_rows for batch in file.iter_batches(1 << 13))

    def same_count(dataset: Dataset, rows: int) -> None:
        expect(dataset.num_chunks == rows, "numbers of rows differ")

    def with_ndjson() -> Any:
        # The schema is given, so that Polars need not find it out.
        schema = dict.fromkeys(("_id", "title", "text"), polars.String)
        return polars.read_ndjson(beir / "corpus.jsonl", schema=schema)

    beside = "pyarrow alone"
    for name, path, theirs, ids, others in (
        ("BEIR", beir, with_ndjson, "_id", []),
        (
            "Parquet",
            parquet,
            lambda: polars.read_parquet(parquet),
            "chunk_id",
            [Peer(beside, with_pyarrow, same_count)],
        ),
    ):
        job = f"read {name}, {count:,} rows"

        def agrees(dataset: Dataset, frame: Any, ids: str = ids) -> None:
            expect(dataset.chunk_ids[:] == frame[ids].to_list(), "ids differ")
            expect(dataset.chunk_texts[:] == frame["text"].to_list(), "texts differ")

        yield from bench.race(
            job,
            lambda path=path: read(path),  # type: ignore[misc]
            [Peer("Polars", theirs, agrees), *others],
            [
                Claim(job, ("Polars",), TARGET),
                *(Claim(f"{job}, beside {other.name}", (other.name,), None) for other in others),
            ],
        )


def read(path: Path) -> Dataset:
    """Read a data set of a format as the commands do."""
    found = formats.read(InputConfig(data=str(path)), memory_map=True).dataset
    if found is None:
        raise ValueError(f"{path} has no corpus")
    return found


def texts(count: int) -> Iterator[str]:
    """Yield texts of about 460 bytes."""
    return map(
        " ".join, zip(inputs.texts(count, seed=11), inputs.texts(count, seed=12), strict=True)
    )


def write_beir(folder: Path, count: int) -> None:
    """Write a corpus without titles, and one question."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for i, text in enumerate(texts(count)):
            row = {"_id": f"chunk_{i}", "title": "", "text": text}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "what?"}\n', encoding="utf-8")
    lines = "query-id\tcorpus-id\tscore\nq\tchunk_0\t1\n"
    (folder / "qrels" / "test.tsv").write_text(lines, encoding="utf-8")


def write_parquet(path: Path, count: int) -> None:
    """Write rows of a question and the text that answers it, each with its id."""
    names = ("question_id", "question", "chunk_id", "text")
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    rest = texts(count)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            columns = [
                [f"q_{i}" for i in numbers],
                [f"what about number {i}?" for i in numbers],
                [f"chunk_{i}" for i in numbers],
                [next(rest) for _ in numbers],
            ]
            writer.write_table(pyarrow.table(columns, schema=schema))
