"""The scores that a data set gives to questions and chunks: those of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stage2.data.tables import Lists


@dataclass(frozen=True)
class GivenScores:
    """The scores of n questions and their chunks.

    Attributes:
        question_ids: n ids.
        questions: n texts.
        chunk_ids: the ids of all chunks.
        lists: the relevant chunks of the questions, and the negatives.
    """

    question_ids: Sequence[str]
    questions: Sequence[str]
    chunk_ids: Sequence[str]
    lists: tuple[Lists, ...]

    def of(
        self, question_ids: Sequence[str], questions: Sequence[str], chunk_ids: Sequence[str]
    ) -> npt.NDArray[np.float64]:
        """Return the scores of m pairs.

        Where questions of one text have several ids, each has the ground truths of all of them. So
        a score that the id does not have is that of the first question with the same text.

        Args:
            question_ids: m ids, one for each pair.
            questions: the m texts of these questions.
            chunk_ids: m ids.

        Returns:
            float64 (m,), NaN where there is no score.
        """
        wanted, texts = set(question_ids), set(questions)
        by_id: dict[tuple[str, str], float] = {}
        by_text: dict[tuple[str, str], float] = {}
        for row, (name, text) in enumerate(zip(self.question_ids, self.questions, strict=True)):
            if name not in wanted and text not in texts:
                continue
            for lists in self.lists:
                for chunk, _, score in lists.of(row):
                    if score is not None:
                        by_id.setdefault((name, self.chunk_ids[chunk]), score)
                        by_text.setdefault((text, self.chunk_ids[chunk]), score)
        found = (
            by_id.get((name, chunk), by_text.get((text, chunk), np.nan))
            for name, text, chunk in zip(question_ids, questions, chunk_ids, strict=True)
        )
        return np.fromiter(found, np.float64, len(question_ids))


def scored(lists: Lists) -> int:
    """Return how many candidates of lists have a score."""
    return 0 if lists.scores is None else int(np.count_nonzero(~np.isnan(lists.scores)))
