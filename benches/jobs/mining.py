"""Mining of hard negatives with a margin, from vectors in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import stage2
from benches import inputs
from benches.child import peak_memory
from benches.harness import Bench, Claim, Finding, Limit, Peer, expect
from benches.inputs import Vectors

QUESTIONS, CHUNKS, WIDTH = 20_000, 200_000, 64
NEGATIVES, RANGE_MAX, MARGIN = 5, 60, 0.05
# The peer scores so many questions at a time. Its default of 16,384 would take 13 GB.
BLOCK = 1024
# The peer sums in float32, so its scores differ from the exact ones by less than this.
ROUNDING = 2e-6
# The memory budget of the search when its memory is measured: 2% of all scores.
BUDGET = 64 * 2**20
MEGABYTE = 1e6


def measure(bench: Bench) -> Iterator[Finding]:
    os.environ["TQDM_DISABLE"] = "1"
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers.util import mine_hard_negatives

    disable_progress_bars()
    torch.set_num_threads(bench.threads)
    questions, corpus = inputs.clustered(bench.size(QUESTIONS), bench.size(CHUNKS), WIDTH)
    gold = stage2.topk(questions, corpus, 1)[0][:, 0]
    texts = [f"chunk {i}" for i in range(len(corpus))]
    asked = [f"question {i}" for i in range(len(questions))]
    pairs = Dataset.from_dict({"query": asked, "answer": [texts[i] for i in gold]})
    positives = stage2.Positives(gold, np.arange(len(gold) + 1))
    rules = stage2.Rules(negatives=NEGATIVES, range_max=RANGE_MAX, absolute_margin=MARGIN)
    model: Any = _Encoded(questions, corpus)

    def ours() -> list[list[str]]:
        mined = stage2.mine_negatives(questions, corpus, positives, rules)
        expect(bool((mined.counts == NEGATIVES).all()), "a question has too few negatives")
        return [[texts[i] for i in rows] for rows in mined.rows.reshape(-1, NEGATIVES)]

    def theirs() -> Any:
        return mine_hard_negatives(
            pairs, model, corpus=texts, num_negatives=NEGATIVES, range_max=RANGE_MAX,
            absolute_margin=MARGIN, output_format="n-tuple", verbose=False,
            faiss_batch_size=BLOCK,
        )  # fmt: skip

    def agrees(mine: list[list[str]], found: Any) -> None:
        columns = [found[f"negative_{i}"] for i in range(1, NEGATIVES + 1)]
        rows = [list(row) for row in zip(*columns, strict=True)]
        expect(len(rows) == len(mine), "a question was left out")
        place = {text: i for i, text in enumerate(texts)}
        scores = []
        for side in (mine, rows):
            ids = np.array([[place[text] for text in row] for row in side])
            scores.append(np.einsum("nd,nkd->nk", questions, corpus[ids], dtype=np.float64))
        expect(float(np.abs(scores[0] - scores[1]).max()) < ROUNDING, "the negatives differ")

    job = f"mine negatives of {len(asked):,} questions from {len(texts):,} chunks, with a margin"
    peer = "mine_hard_negatives"
    yield from bench.race(job, ours, [Peer(peer, theirs, agrees)], [Claim(job, (peer,), 8)])
    if not bench.quick:
        yield memory(bench, questions, corpus, gold)


def memory(bench: Bench, questions: Vectors, corpus: Vectors, gold: Any) -> Finding:
    """Measure the memory of a process that maps the vectors and mines, without that of imports."""
    for name, array in (("questions", questions), ("corpus", corpus), ("gold", gold)):
        np.save(bench.folder / f"{name}.npy", array)
    program = [sys.executable, "-W", "ignore", "-m", __name__, str(bench.folder)]
    idle, busy = peak_memory([*program, "idle"]), peak_memory([*program, "mine"])
    vectors = questions.nbytes + corpus.nbytes
    return Limit(
        f"mine {len(questions):,} × {len(corpus):,}: peak memory beside the program, MB",
        f"program {idle / MEGABYTE:,.0f} MB, vectors {vectors / MEGABYTE:,.0f} MB, "
        f"budget {BUDGET / MEGABYTE:,.0f} MB",
        (busy - idle) / MEGABYTE,
        (vectors + BUDGET) / MEGABYTE,
    )


def mine_files(folder: Path, work: bool) -> None:
    """Mine the vectors that `memory` has written; without `work` only a few of them."""
    questions, corpus, gold = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("questions", "corpus", "gold")
    )
    if not work:
        questions, corpus, gold = questions[:1], corpus[:10], np.zeros(1, np.int64)
    positives = stage2.Positives(np.asarray(gold), np.arange(len(gold) + 1))
    rules = stage2.Rules(negatives=1 if not work else NEGATIVES, range_max=RANGE_MAX)
    stage2.mine_negatives(questions, corpus, positives, rules, memory_budget=BUDGET)


class _Encoded:
    """A model that returns ready vectors."""

    device = torch.device("cpu")

    def __init__(self, questions: Vectors, corpus: Vectors) -> None:
        self._questions, self._corpus = questions, corpus

    def encode_query(self, *_: Any, **__: Any) -> Vectors:
        return self._questions

    def encode_document(self, *_: Any, **__: Any) -> Vectors:
        return self._corpus

    @staticmethod
    def similarity(left: Any, right: Any) -> torch.Tensor:
        return torch.as_tensor(left) @ torch.as_tensor(right).T

    @staticmethod
    def similarity_pairwise(left: Any, right: Any) -> torch.Tensor:
        return (torch.as_tensor(left) * torch.as_tensor(right)).sum(dim=1)


if __name__ == "__main__":
    mine_files(Path(sys.argv[1]), sys.argv[2] == "mine")
