"""The growth of time with size, in steps of ten times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import stage2
from benches import inputs, machine
from benches.harness import Bench, Finding
from benches.jobs.join import corpus
from stage2._core import sample_negatives

NEGATIVES = 5
# Ten million chunks and questions, in files and in memory, need so many bytes. With less memory the
# last size is left out. The texts of the join are in Python and would need more.
ROOM = 16 * 2**30


def measure(bench: Bench) -> Iterator[Finding]:
    sizes = [bench.size(size) for size in (10**4, 10**5, 10**6)]
    longer = [*sizes, 10**7] if not bench.quick and machine.memory() > ROOM else sizes
    yield bench.growth("parse chunks", longer, lambda size: load(bench, 1, size))
    yield bench.growth("join as many texts as annotations", sizes, join)
    yield bench.growth("sample 20 of 1,000,000, questions", longer, sample)
    yield bench.growth(
        "construct, questions and chunks", longer, lambda size: construct(bench, size)
    )


def load(bench: Bench, questions: int, chunks: int) -> Callable[[], stage2.Dataset]:
    files = {
        "qa": inputs.questions_file(bench.folder, questions, chunks),
        "chunks": inputs.chunks_file(bench.folder, chunks),
    }
    return lambda: stage2.Dataset.load(**files)


def join(size: int) -> Callable[[], Any]:
    texts, annotations = corpus(size)
    return lambda: stage2.match_annotations(texts, annotations)


def sample(size: int) -> Callable[[], Any]:
    qa_ids = [f"qa-{i}" for i in range(size)]
    nothing = np.zeros(0, np.int64), np.zeros(size + 1, np.int64)
    return lambda: sample_negatives(qa_ids, 20, 1_000_000, *nothing)


def construct(bench: Bench, size: int) -> Callable[[], stage2.Samples]:
    dataset = load(bench, size, size)()
    return lambda: dataset.construct(NEGATIVES)
