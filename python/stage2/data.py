"""Data sets and samples over the core; what the model reads of them; splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stage2._core import Annotations, Dataset, Samples
from stage2.encode import Ints, TokenizedTexts, tokenize
from stage2.errors import BadInputError

if TYPE_CHECKING:
    from stage2.model import ProbabilisticGBERTV4

__all__ = ["Annotations", "Dataset", "RankingLists", "Samples", "ranking_lists", "split_by_chunk"]


@dataclass(frozen=True)
class RankingLists:
    """n questions and the contexts that each is ranked against, as rows of distinct texts.

    Attributes:
        tokens: the t distinct texts, tokenised, with their entities.
        qa_ids: n ids.
        questions: int64 (n,), rows of `tokens`.
        candidates: int64 (m,), rows of `tokens`, all lists end to end, ground truths first.
        contexts: int64 (m,), the same candidates as indices of the samples' contexts.
        offsets: int64 (n + 1,), where each list starts.
        num_relevant: int64 (n,), ground truths at the head of each list.
        tie_keys: int64 (m,), the place of each candidate's chunk id in sorted order.
        corpus: int64 (N,), rows of `tokens` for all contexts; empty where it was not asked for.
    """

    tokens: TokenizedTexts
    qa_ids: list[str]
    questions: Ints
    candidates: Ints
    contexts: Ints
    offsets: Ints
    num_relevant: Ints
    tie_keys: Ints
    corpus: Ints

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def lengths(self) -> Ints:
        """Candidates of each question, int64 (n,)."""
        return np.diff(self.offsets)

    def subset(self, rows: Sequence[int] | Ints) -> RankingLists:
        """The given questions, in the given order, with only the texts that they need."""
        flat = np.concatenate(
            [np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows]
            or [np.empty(0, np.int64)]
        )
        index = np.asarray(rows, np.int64)
        needed = (self.questions[index], self.candidates[flat], self.corpus)
        used, places = np.unique(np.concatenate(needed), return_inverse=True)
        questions, candidates, corpus = np.split(
            places.astype(np.int64), np.cumsum([len(part) for part in needed])[:-1]
        )
        return RankingLists(
            tokens=self.tokens.take(used),
            qa_ids=[self.qa_ids[row] for row in rows],
            questions=questions,
            candidates=candidates,
            contexts=self.contexts[flat],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[index])]).astype(np.int64),
            num_relevant=self.num_relevant[index],
            tie_keys=self.tie_keys[flat],
            corpus=corpus,
        )


def ranking_lists(
    model: ProbabilisticGBERTV4,
    samples: Samples,
    annotations: Annotations | None,
    *,
    similarity: str = "auto",
    corpus: bool = False,
) -> RankingLists:
    """Tokenise what the samples need, each distinct text once, with its joined entities.

    Args:
        model: whose tokenizer is used.
        samples: questions with candidates.
        annotations: entity annotations; None for none.
        similarity: `sentence` leaves the entities out; `entity` insists on annotations.
        corpus: whether every context of the samples is needed, or only the candidates.
    """
    if similarity == "entity" and annotations is None:
        raise BadInputError("--similarity entity needs entity annotations; give --entities FILE")
    flat = np.asarray(samples.candidates)
    wanted = np.arange(len(samples.contexts)) if corpus else np.unique(flat)
    contexts = samples.contexts.take(wanted)
    questions = list(samples.questions)

    row_of: dict[str, int] = {}
    question_rows = np.fromiter(
        (row_of.setdefault(text, len(row_of)) for text in questions), np.int64, len(questions)
    )
    context_rows = np.fromiter(
        (row_of.setdefault(text, len(row_of)) for text in contexts), np.int64, len(contexts)
    )
    texts = list(row_of)
    spans: list[Ints | tuple[()]] = [()] * len(texts)
    if annotations is not None and similarity != "sentence":
        found, offsets = annotations.spans_for(texts)
        spans = [found[offsets[i] : offsets[i + 1]] for i in range(len(texts))]

    places = np.searchsorted(wanted, flat)
    ids = samples.context_ids.take(wanted)
    id_order = np.empty(len(ids), np.int64)
    id_order[sorted(range(len(ids)), key=lambda i: (ids[i], i))] = np.arange(len(ids))
    return RankingLists(
        tokens=tokenize(model, texts, spans),
        qa_ids=list(samples.qa_ids),
        questions=question_rows,
        candidates=context_rows[places],
        contexts=flat,
        offsets=np.asarray(samples.offsets),
        num_relevant=np.asarray(samples.num_relevant),
        tie_keys=id_order[places],
        corpus=context_rows if corpus else np.empty(0, np.int64),
    )


def split_by_chunk(
    samples: Samples, dev_share: float, test_share: float, seed: int
) -> tuple[Ints, Ints, Ints]:
    """Split questions so that those that share a ground-truth chunk stay on one side.

    A group's side follows from the seed and the least of its chunk ids alone, so that adding data
    moves no question that is not joined to it.

    Returns:
        Rows of train, dev and test, each int64 and rising.

    Raises:
        BadInputError: a side that was asked for is empty.
    """
    if dev_share + test_share >= 1:
        raise BadInputError(
            f"dev share {dev_share:g} and test share {test_share:g} leave nothing to train on; "
            "expected a sum below 1"
        )
    sides: tuple[list[int], list[int], list[int]] = ([], [], [])
    for row, group in enumerate(_groups(samples)):
        digest = hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=8).digest()
        share = int.from_bytes(digest, "little") / 2**64
        side = 2 if share < test_share else 1 if share < test_share + dev_share else 0
        sides[side].append(row)
    for name, rows, share in zip(
        ("train", "dev", "test"), sides, (1, dev_share, test_share), strict=True
    ):
        if share and not rows:
            raise BadInputError(
                f"the split leaves no {name} question: {len(samples)} questions are too few for "
                "it. Use another --seed, other shares, or --split none"
            )
    train, dev, test = (np.asarray(rows, np.int64) for rows in sides)
    return train, dev, test


def _groups(samples: Samples) -> list[str]:
    """For each question the least chunk id, or text, that its group of questions shares."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    relevant = [
        candidates[start : start + count].tolist()
        for start, count in zip(offsets[:-1], np.asarray(samples.num_relevant), strict=True)
    ]
    parent: dict[int, int] = {}

    def root(chunk: int) -> int:
        while parent.setdefault(chunk, chunk) != chunk:
            parent[chunk] = chunk = parent[parent[chunk]]
        return chunk

    for first, *others in relevant:
        for other in others:
            parent[root(other)] = root(first)
    chunks = sorted(parent.keys() | {chunk for row in relevant for chunk in row})
    names = dict(zip(chunks, samples.context_ids.take(np.asarray(chunks)), strict=True))
    texts = dict(zip(chunks, samples.contexts.take(np.asarray(chunks)), strict=True))
    least: dict[int, str] = {}
    for chunk in chunks:
        name = names[chunk] or texts[chunk]
        least[root(chunk)] = min(name, least.get(root(chunk), name))
    return [least[root(row[0])] for row in relevant]
