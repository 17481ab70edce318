"""`stage2 prepare` as a whole process up to the flush to disk, and its peak of memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benches import inputs, naive_prepare
from benches.child import peak_memory
from benches.harness import Bench, Claim, Finding, Limit, Peer, expect

MEGABYTE = 1e6


def measure(bench: Bench) -> Iterator[Finding]:
    count, questions = bench.size(1_000_000), bench.size(200_000)
    chunks = inputs.chunks_file(bench.folder, count)
    qa = inputs.questions_file(bench.folder, questions, count)
    folder, out = bench.folder / "prepared", bench.folder / "naive.jsonl"
    prepare = [sys.executable, "-m", "stage2", "prepare", "--qa", str(qa), "--chunks", str(chunks)]
    prepare += ["--negatives", str(naive_prepare.NEGATIVES)]
    prepare += ["--output-dir", str(folder), "--overwrite"]
    naive = [sys.executable, "-m", naive_prepare.__name__, str(qa), str(chunks), str(out)]

    peaks: dict[str, int] = {}

    def run(name: str, command: list[str]) -> None:
        peaks[name] = max(peaks.get(name, 0), peak_memory(command))

    def agrees(_ours: None, _theirs: None) -> None:
        same(folder / "constructed_data.jsonl", out, count)

    job = f"stage2 prepare, {questions:,} × (1 + {naive_prepare.NEGATIVES}), {count:,} chunks"
    yield from bench.race(
        job,
        lambda: run("stage2", prepare),
        [Peer("orjson and numpy", lambda: run("naive", naive), agrees)],
        [Claim(job, ("orjson and numpy",), 5)],
    )
    size = chunks.stat().st_size + qa.stat().st_size
    yield Limit(
        "stage2 prepare: peak memory, MB",
        f"input {size / MEGABYTE:,.0f} MB; orjson and numpy {peaks['naive'] / MEGABYTE:,.0f} MB",
        peaks["stage2"] / MEGABYTE,
        1.5 * size / MEGABYTE + 200,
    )


def same(ours: Path, theirs: Path, count: int) -> None:
    """Check that the files are equal except for the random draws, and that these are valid."""
    with ours.open("rb") as left, theirs.open("rb") as right:
        for mine, other in zip(map(orjson.loads, left), map(orjson.loads, right), strict=True):
            for row in (mine, other):
                check_draw(row, count)
            expect(mine == other, f"samples differ at {mine}")


def check_draw(row: dict[str, Any], count: int) -> None:
    """Check the draw of a row: distinct chunks that exist. Then remove it from the row."""
    drawn, contexts = row.pop("negative_chunk_ids"), row.pop("negative_contexts")
    chunks = {int(chunk.removeprefix("chunk_")) for chunk in drawn}
    expect(len(chunks) == len(contexts) == naive_prepare.NEGATIVES, f"not distinct: {drawn}")
    expect(max(chunks) < count, f"no such chunk: {drawn}")
    expect(row["gt_chunk_id"] not in drawn, f"a question's own chunk: {drawn}")
