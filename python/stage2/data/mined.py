"""The mined set of a run: questions with their ground truths and negatives, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stage2.data.dataset import Samples
from stage2.data.tables import Candidate, Chunk, Question
from stage2.utils.arrays import Floats


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

    def __iter__(self) -> Iterator[Question]:
        """Yield the questions in the order of the samples, with ids, grades and scores.

        A negative has the grade 0, and a chunk without an id the id "". The score is the similarity
        that the model before training gives.
        """
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
            found = [
                Candidate(Chunk(text, id=name), grade, score)
                for name, text, grade, score in zip(ids, texts, own, scores, strict=True)
            ]
            yield Question(
                samples.questions[row], samples.qa_ids[row], tuple(found[:count]),
                tuple(found[count:]), samples.answers[row],
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
