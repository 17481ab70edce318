"""The mined set of a run: questions with their ground truths and negatives, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stage2.data.dataset import Samples
from stage2.utils.arrays import Floats


@dataclass(frozen=True)
class Passage:
    """A candidate of a question.

    Attributes:
        chunk_id: the id of the chunk; "" if it is not known.
        text: the text of the chunk.
        score: the similarity to the question that the model before training gives.
        grade: the relevance; 0 for a negative.
    """

    chunk_id: str
    text: str
    score: float
    grade: float


@dataclass(frozen=True)
class Mined:
    """A question with its candidates: ground truths, and negatives as they were drawn or mined."""

    qa_id: str
    question: str
    answer: str
    positives: tuple[Passage, ...]
    negatives: tuple[Passage, ...]


@dataclass(frozen=True)
class MinedSet:
    """The questions of samples with their candidates and scores.

    Attributes:
        samples: n questions with m candidates in total.
        scores: float32 (m,), the score of each candidate.
    """

    samples: Samples
    scores: Floats

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Mined]:
        """Yield the questions in the order of the samples."""
        samples = self.samples
        offsets, counts = samples.offsets.tolist(), samples.num_relevant.tolist()
        grades = None if samples.grades is None else iter(samples.grades.tolist())
        for row, (start, count) in enumerate(zip(offsets[:-1], counts, strict=True)):
            places = samples.candidates[start : offsets[row + 1]]
            ids, texts = samples.context_ids.take(places), samples.contexts.take(places)
            # Scores have six decimals, and a float32 its shortest ones.
            scores = [float(str(score)) for score in self.scores[start : offsets[row + 1]]]
            own = [1.0] * count if grades is None else [next(grades) for _ in range(count)]
            own += [0.0] * (len(ids) - count)
            passages = [Passage(*one) for one in zip(ids, texts, scores, own, strict=True)]
            yield Mined(
                samples.qa_ids[row], samples.questions[row], samples.answers[row],
                tuple(passages[:count]), tuple(passages[count:]),
            )  # fmt: skip

    def take(self, rows: Sequence[int]) -> MinedSet:
        """Return the questions at `rows`, which rise."""
        offsets = self.samples.offsets
        index = np.asarray(rows, np.int64)
        flat = [np.arange(offsets[row], offsets[row + 1]) for row in index]
        scores = self.scores[np.concatenate([np.empty(0, np.int64), *flat])]
        return MinedSet(self.samples.take(index), scores)

    @classmethod
    def of(cls, samples: Samples, known: Mapping[str, Mapping[tuple[str, str], float]]) -> MinedSet:
        """Add the scores to samples.

        Args:
            samples: the questions with their candidates.
            known: for each question's id the scores by the candidates' ids and texts.

        Raises:
            LookupError: a score is missing. Its argument is the question's id.
        """
        scores = np.empty(len(samples.candidates), np.float32)
        offsets = samples.offsets
        for row, qa_id in enumerate(samples.qa_ids):
            part = slice(offsets[row], offsets[row + 1])
            places = samples.candidates[part]
            named = zip(
                samples.context_ids.take(places), samples.contexts.take(places), strict=True
            )
            try:
                scores[part] = [known[qa_id][one] for one in named]
            except KeyError as error:
                raise LookupError(qa_id) from error
        return cls(samples, scores)
