"""The share of answers that lie past a model's limit, and their cost.

With answers in the data it is known where in its ground truth a question is answered. An answer is
past the limit if its words stand in a ground truth of the question only where the model does not
read. Its question need not rank lower for that: the beginning of a text often says what the rest is
about. So the mean reciprocal ranks of the two kinds of questions are compared within each group of
questions about the same chunks. Were every answer read, the MRR of all questions would rise by
about the share of those past the limit times this difference.

Without answers it is only known how many tokens of the ground truths are past the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stage2._core import Samples
from stage2.data.answer_words import has_words, words
from stage2.encoding.tokens import Reader, limit_of
from stage2.encoding.truncation import Seen, seen_of, spread
from stage2.evaluation.statistics import paired_differences
from stage2.utils.arrays import Doubles, Ints, Mask

# The share counts these.
ANSWERS, TOKENS = "answers", "tokens"


def past_limit(
    reader: Reader, samples: Samples, ranks: Doubles, groups: Ints, seed: int
) -> dict[str, Any] | None:
    """Find how much of what n questions ask for lies past the limit of a model.

    Of many questions only some are looked at, evenly spaced; see `truncation.SAMPLE`.

    Args:
        reader: the tokenizer, limits and prompts of the model.
        samples: the questions, with their ground truths and perhaps their answers.
        ranks: float64 (n,), the reciprocal rank of each question.
        groups: int64 (n,), equal for questions about the same chunks.
        seed: the seed of the resampling.

    Returns:
        The entry `past_limit` of `check.json`; None if no ground truth is cut:

        - `limit`, the largest number of tokens in a chunk;
        - `by`: `answers`; or `tokens` if no answer is found in the ground truths, or if it is not
          known where in a text its tokens stand;
        - `questions`, how many were looked at, with `answers` only those whose answer was found;
        - `share`: of these, the share whose answer is past the limit; or the mean share of tokens
          past it in the ground truth of which least is cut;
        - `groups`, how many have questions of both kinds, and over these groups the mean
          `difference` of the MRR of questions whose answer is past the limit less that of the
          others, with `low`, `high` and `p` as in `comparison.json`; None where no group has both;
        - `cost`, by how much the MRR of all would rise if every answer were read: `share` times
          what those past the limit rank lower by; None where that is not known.
    """
    rows = spread(len(samples))
    truths = _truths(samples, rows)
    contexts = sorted({context for own in truths for context in own})
    texts = samples.contexts.take(np.asarray(contexts, np.int64))
    seen = dict(zip(contexts, seen_of(reader, texts, "document"), strict=True))
    if not any(one.lost for one in seen.values()):
        return None
    facts: dict[str, Any] = {"limit": limit_of(reader, "document")}
    if all(one.known for one in seen.values()):
        parts = {
            context: _Parts.of(text, seen[context])
            for context, text in zip(contexts, texts, strict=True)
        }
        asked = [words(samples.answers[row]) for row in rows.tolist()]
        found = [
            _is_past(wanted, [parts[context] for context in own])
            for wanted, own in zip(asked, truths, strict=True)
        ]
        known = np.array([one is not None for one in found], np.bool_)
        if known.any():
            past = np.array([bool(one) for one in found], np.bool_)[known]
            here, share = rows[known], float(past.mean())
            contrast = _contrast(past, ranks[here], groups[here], seed)
            lower = contrast["difference"]
            facts |= {"by": ANSWERS, "questions": len(here), "share": share, **contrast}
            return facts | {"cost": None if lower is None else -share * lower}
    shares = [min(seen[context].lost_share for context in own) for own in truths]
    facts |= {"by": TOKENS, "questions": len(rows), "share": float(np.mean(shares))}
    return facts | _no_contrast() | {"cost": None}


@dataclass(frozen=True)
class _Parts:
    """The words of a text, of what a model reads of it, and of what it does not read."""

    whole: str
    read: str
    unread: tuple[str, ...]

    @classmethod
    def of(cls, text: str, seen: Seen) -> _Parts:
        whole = words(text)
        if not seen.lost:
            return cls(whole, whole, ())
        unread = text[: seen.start], text[seen.stop :]
        return cls(whole, words(text[seen.start : seen.stop]), tuple(map(words, unread)))


def _is_past(wanted: str, truths: Sequence[_Parts]) -> bool | None:
    """Return whether an answer is past the limit; None if no ground truth has its words."""
    stands = False
    for one in truths:
        if not has_words(one.whole, wanted):
            continue
        # The model reads a part of an answer that the limit cuts.
        if has_words(one.read, wanted) or not any(has_words(part, wanted) for part in one.unread):
            return False
        stands = True
    return True if stands else None


def _contrast(past: Mask, ranks: Doubles, groups: Ints, seed: int) -> dict[str, Any]:
    """Compare the questions of both kinds within each group that has both."""
    _, place = np.unique(groups, return_inverse=True)
    size = int(place.max()) + 1
    counts = [np.bincount(place[part], minlength=size) for part in (past, ~past)]
    both = (counts[0] > 0) & (counts[1] > 0)
    if not both.any():
        return _no_contrast()
    here, there = (
        np.bincount(place[part], ranks[part], size)[both] / count[both]
        for part, count in zip((past, ~past), counts, strict=True)
    )
    (found,) = paired_differences([here - there], None, seed)
    return {"groups": int(both.sum()), **found.entries}


def _no_contrast() -> dict[str, Any]:
    return {"groups": 0, **dict.fromkeys(("difference", "low", "high", "p"))}


def _truths(samples: Samples, rows: Ints) -> list[list[int]]:
    """Return the ground truths of some questions, as places in `Samples.contexts`."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    counts = np.asarray(samples.num_relevant)
    return [candidates[offsets[row] : offsets[row] + counts[row]].tolist() for row in rows.tolist()]
