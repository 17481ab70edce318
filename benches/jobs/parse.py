"""Reading a corpus of chunks from JSONL. Only stage2 validates it and checks for repeated ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import orjson
import polars
import pyarrow
import pyarrow.json

import stage2
from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect

COLUMNS = ("chunk_id", "text")


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(1_000_000)
    chunks = str(inputs.chunks_file(bench.folder, count))
    qa = inputs.questions_file(bench.folder, 1, count)

    connection = duckdb.connect()
    connection.execute(f"SET threads = {bench.threads}")
    pyarrow.set_cpu_count(bench.threads)

    def with_duckdb() -> Any:
        columns = dict.fromkeys(COLUMNS, "VARCHAR")
        query = "SELECT * FROM read_json(?, format = 'newline_delimited', columns = ?)"
        return connection.sql(query, params=[chunks, columns]).to_arrow_table()

    def with_polars() -> Any:
        return polars.scan_ndjson(chunks, schema=dict.fromkeys(COLUMNS, polars.String)).collect()

    def with_arrow() -> Any:
        schema = pyarrow.schema([(name, pyarrow.string()) for name in COLUMNS])
        return pyarrow.json.read_json(
            chunks,
            pyarrow.json.ReadOptions(block_size=4 << 20),
            pyarrow.json.ParseOptions(explicit_schema=schema),
        )

    def with_orjson() -> Any:
        ids, texts = [], []
        with open(chunks, "rb") as file:
            for line in file:
                row = orjson.loads(line)
                ids.append(row["chunk_id"])
                texts.append(row["text"])
        return ids, texts

    # A third of the time depends on recently freed memory, so there are more rounds than usual.
    yield from (bench if bench.quick else replace(bench, rounds=(7, 9))).race(
        f"load {count:,} chunks",
        lambda: stage2.Dataset.load(qa=qa, chunks=chunks),
        [
            Peer("DuckDB", with_duckdb, lambda a, b: same(a, [column(b, n) for n in COLUMNS])),
            Peer("Polars", with_polars, lambda a, b: same(a, [b[n].to_list() for n in COLUMNS])),
            Peer("Arrow", with_arrow, lambda a, b: same(a, [column(b, n) for n in COLUMNS])),
            Peer("orjson", with_orjson, same),
        ],
        [
            Claim(f"load {count:,} chunks, checked", ("DuckDB", "Polars", "Arrow"), 1.5),
            Claim(f"load {count:,} chunks, against a loop", ("orjson",), 8),
        ],
    )


def column(table: Any, name: str) -> list[str]:
    return table.column(name).to_pylist()


def same(dataset: stage2.Dataset, columns: Any) -> None:
    ids, texts = columns
    expect(dataset.chunk_ids[:] == ids, "chunk ids differ")
    expect(dataset.chunk_texts[:] == texts, "texts differ")
