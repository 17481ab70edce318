"""Near-duplicates among a million chunks: running text, pages of one template, and copies."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benches import inputs
from benches.child import peak_memory
from benches.harness import Bench, Claim, Finding, Limit, Peer, Timing, expect, seconds
from stage2._core import near_duplicates

THRESHOLD = 0.5
COUNT = 1_000_000
# The peer would take too long for more texts.
PEER_COUNT = 10_000
# One text in so many is a copy of another with one word changed.
COPIES = 50
MINUTE = 60.0
MEGABYTE = 10**6
# The limit in MB for a hash and a sketch of each text and the counts of shingles.
ROOM = 600

Ints = npt.NDArray[np.int64]


def measure(bench: Bench) -> Iterator[Finding]:
    count = min(bench.size(PEER_COUNT), PEER_COUNT)
    texts, copies = corpus(count)

    def agrees(ours: Ints, theirs: Sequence[int]) -> None:
        for name, found in (("stage2", ours), ("datasketch", theirs)):
            share = np.mean([found[copy] == found[of] for of, copy in copies])
            expect(bool(share > 0.99), f"{name} finds {share:.1%} of the copies")

    job, peer = f"near-duplicates of {count:,} chunks", "datasketch, MinHashLSH"
    yield from bench.race(
        job,
        lambda: near_duplicates(texts, THRESHOLD),
        [Peer(peer, lambda: with_datasketch(texts), agrees)],
        [Claim(job, (peer,), 20)],
    )
    sizes = [bench.size(size) for size in (10**4, 10**5, 10**6)]
    yield bench.growth("near-duplicates, chunks", sizes, prepare)
    if not bench.quick:
        yield from million(bench)


def million(bench: Bench) -> Iterator[Finding]:
    """Check that copies among a million chunks are found, and measure time and memory."""
    texts, copies = corpus(COUNT)
    timing = Timing("stage2")
    found = timing.time(partial(near_duplicates, texts, THRESHOLD))
    share = np.mean([found[copy] == found[of] for of, copy in copies])
    expect(bool(share > 0.999), f"{share:.2%} of the copies are found")
    yield Limit(
        f"near-duplicates of {COUNT:,} chunks, {bench.threads} threads, seconds",
        f"{seconds(timing.median)}; of {len(copies):,} copies {share:.2%} found",
        timing.median,
        MINUTE,
    )
    path = bench.folder / "near_duplicates.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    del texts
    program = [sys.executable, "-m", __name__, str(path)]
    idle, busy = peak_memory([*program, "idle"]), peak_memory([*program, "group"])
    path.unlink()
    yield Limit(
        f"near-duplicates of {COUNT:,} chunks: peak memory beside the texts, MB",
        f"program and texts {idle / MEGABYTE:,.0f} MB",
        (busy - idle) / MEGABYTE,
        ROOM,
    )


def prepare(count: int) -> Callable[[], Ints]:
    texts, _ = corpus(count)
    return partial(near_duplicates, texts, THRESHOLD)


def corpus(count: int) -> tuple[list[str], list[tuple[int, int]]]:
    """Make texts. Return them with the indices of each copied text and its copy."""
    random = np.random.default_rng(0)
    # The source of the texts grows with their number, so that few of them overlap by chance.
    texts = list(inputs.texts(count, seed=4, pool_words=max(1_000_000, 20 * count)))
    article = random.permutation(count)
    for i in range(0, count, 3):
        texts[i] = page(int(article[i]), random)
    places = random.permutation(count)[: 2 * (count // COPIES)].reshape(-1, 2).tolist()
    for of, copy in places:
        words = texts[of].split()
        words[len(words) // 2] = "changed"
        texts[copy] = " ".join(words)
    return texts, [(of, copy) for of, copy in places]


def page(article: int, random: np.random.Generator) -> str:
    maker, price, days = random.integers(0, [1000, 999, 9]).tolist()
    return (
        f"Article {article * 7919 % 9_999_991:07}, made by house {maker} with care from the best "
        "materials. It comes with a warranty of three years and is sent in a box of card. Price: "
        f"{price}.99 euros. Free delivery within {days + 1} days; returns are accepted within "
        "thirty days of the purchase if the box was not opened."
    )


def with_datasketch(texts: Sequence[str]) -> list[int]:
    """Use datasketch as in its documentation, with the same shingles, and join all its pairs."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    group = list(range(len(texts)))

    def root(item: int) -> int:
        while group[item] != item:
            item = group[item]
        return item

    for i, text in enumerate(texts):
        plain = " ".join(text.lower().split())
        sketch = MinHash(num_perm=128)
        sketch.update_batch([plain[at : at + 5].encode() for at in range(len(plain) - 4)])
        for other in index.query(sketch):
            low, high = sorted((root(i), root(other)))
            group[high] = low
        index.insert(i, sketch)
    return [root(i) for i in range(len(texts))]


def main(path: Path, work: bool) -> Any:
    """Do the work whose memory `million` measures; without `work` for one text only."""
    texts = json.loads(path.read_text(encoding="utf-8"))
    return near_duplicates(texts if work else texts[:1], THRESHOLD)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "group")
