"""Hard negatives of a corpus whose vectors are there, kept a margin away from the positives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import stage2
from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect
from benches.inputs import Vectors

QUESTIONS, CHUNKS, WIDTH = 20_000, 200_000, 64
NEGATIVES, RANGE_MAX, MARGIN = 5, 60, 0.05
# Questions that the peer scores at once: its default of 16,384 would take 13 GB.
BLOCK = 1024
# The peer sums in float32.
ROUNDING = 2e-6


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


class _Encoded:
    """A model whose encoding is done."""

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
