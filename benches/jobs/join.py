"""The entity join: the annotation of each text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

import stage2
from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect

SCANNED = 500
WORDS_PER_TEXT = 50


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(20_000)
    scanned = min(count, SCANNED)
    texts, annotations = corpus(count)
    some = texts[:scanned]

    def same(ours: npt.NDArray[np.int64], theirs: list[int]) -> None:
        expect(ours[:scanned].tolist() == theirs, "matches differ")

    job = f"join {count:,} texts with {count:,} annotations"
    scan_name = f"scan, {scanned:,} texts"
    yield from bench.race(
        job,
        lambda: stage2.match_annotations(texts, annotations),
        [Peer(scan_name, lambda: scan(some, annotations), same, scale=count / scanned)],
        [Claim(job, (scan_name,), 1000)],
    )


def corpus(count: int) -> tuple[list[str], list[str]]:
    """Make texts and annotations.

    A third of the annotations are equal to a text except for white space, a third are contained in
    one, and the rest match none.
    """
    # The source of the texts grows with their number, so that they do not overlap more.
    words = WORDS_PER_TEXT * count
    texts = list(inputs.texts(count, seed=2, pool_words=words))
    annotations = list(inputs.texts(count, seed=3, pool_words=words))
    for i in range(0, count, 3):
        annotations[i] = "  ".join(texts[i].split())
    for i in range(1, count, 3):
        annotations[i] = texts[i].rsplit(None, 1)[0]
    random = np.random.default_rng(0)
    return texts, [annotations[i] for i in random.permutation(count)]


def scan(texts: Sequence[str], annotations: Sequence[str]) -> list[int]:
    """Find the annotation of each text. If none is equal, all annotations are compared with it."""
    last = {" ".join(annotation.split()): i for i, annotation in enumerate(annotations)}
    known = [(other, len(other)) for other in last]

    def find(text: str) -> int:
        if text in last:
            return last[text]
        length = len(text)
        for other, size in known:
            near = 10 * abs(size - length) < max(size, length)
            if near and (text in other or other in text):
                return last[other]
        return -1

    return [find(" ".join(text.split())) for text in texts]
