"""Uniform sampling of distinct negatives for each question, without its own chunk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benches.draw import Ints, draw_and_repair
from benches.harness import Bench, Claim, Finding, Peer, expect
from stage2._core import sample_negatives

NEGATIVES = 20
CHUNKS = 1_000_000
CHOSEN = 20_000


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(1_000_000)
    chosen = min(count, CHOSEN)
    qa_ids = [f"qa-{i}" for i in range(count)]
    own = np.random.default_rng(0).integers(0, CHUNKS, count)
    offsets = np.arange(count + 1)

    def agrees(ours: Ints, theirs: Ints) -> None:
        for drawn in (ours, theirs):
            check(drawn, own)

    choice = f"Generator.choice, {chosen:,} questions"
    job = f"{NEGATIVES} of {CHUNKS:,} for {count:,} questions"
    yield from bench.race(
        job,
        lambda: sample_negatives(qa_ids, NEGATIVES, CHUNKS, own, offsets),
        [
            Peer(choice, lambda: choose(own[:chosen]), agrees, scale=count / chosen),
            Peer("integers and repair", lambda: draw_and_repair(own, NEGATIVES, CHUNKS), agrees),
        ],
        [
            Claim(f"{job}, against a call each", (choice,), 50),
            Claim(f"{job}, against one call", ("integers and repair",), 2),
        ],
    )


def choose(own: Ints) -> Ints:
    random = np.random.default_rng(0)
    drawn = np.empty((len(own), NEGATIVES), np.int64)
    for row in drawn:
        row[:] = random.choice(CHUNKS - 1, NEGATIVES, replace=False)
    drawn += drawn >= own[:, None]
    return drawn


def check(drawn: Ints, own: Ints) -> None:
    """Check that drawn chunks exist, are distinct, not the question's own, and uniform."""
    expect(drawn.min() >= 0 and drawn.max() < CHUNKS, "a chunk that does not exist")
    expect(bool((np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()), "a chunk twice")
    expect(bool((drawn != own[: len(drawn), None]).all()), "a question's own chunk")
    mean, deviation = drawn.mean(), CHUNKS / np.sqrt(12 * drawn.size)
    expect(bool(abs(mean - CHUNKS / 2) < 6 * deviation), "not uniform")
