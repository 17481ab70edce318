"""Questions whose labels are doubtful, each with a reason that a person can check.

No finding is a proof. A row of `KINDS` is a kind of finding. `report.words` have its words, under
`doubt_` and its name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from stage2._core import Samples, same_text, text_key
from stage2.data.answer_words import has_words, words
from stage2.data.near_duplicates import near_duplicates
from stage2.utils.arrays import Doubles, Ints

# An answer says where it stands only if at most this share of the chunks has its words, or at most
# so many, among so many chunks, evenly spaced.
RARE, FEW, LOOKED_AT = 0.01, 5, 1_000
# A word of more than this share of the questions, or of the chunks, does not tell them apart, if
# there are at least so many of them.
COMMON, ENOUGH = 0.5, 20
# So many questions stand as examples of a kind.
EXAMPLES = 5
# If labels are dealt at random, one in so many is in the lower half of both rankings.
LOWER_HALVES = 4


@dataclass(frozen=True)
class Ranks:
    """How n questions were ranked in a corpus of N contexts.

    Attributes:
        lengths: int64 (n,), the number of contexts that each is ranked against.
        model: float64 (n,), the expected rank of the best ground truth by the model.
        words: float64 (n,), the same by the words that question and contexts share.
        first: for each question the places of the contexts that come first, the best first.
    """

    lengths: Ints
    model: Doubles
    words: Doubles
    first: Sequence[Ints]


@dataclass(frozen=True)
class Doubt:
    """A finding about one question.

    Attributes:
        row: the row of the question.
        kind: a name in `KINDS`.
        context: the context that it is about; None if it is about the question alone.
        other: the row of another question that it is about, or None.
        count: how many contexts it is about.
        answer: the words that were found, or "".
    """

    row: int
    kind: str
    context: int | None = None
    other: int | None = None
    count: int = 0
    answer: str = ""


@dataclass(frozen=True)
class Doubts:
    """The findings about samples.

    Attributes:
        samples: the samples.
        found: the findings by kind, in the order of the questions, one for a question and kind.
        not_checked: the kinds for which the data have nothing to look at.
    """

    samples: Samples
    found: Mapping[str, Sequence[Doubt]]
    not_checked: tuple[str, ...] = field(default=())

    @property
    def doubtful(self) -> float:
        """The share of the questions with doubtful labels.

        It is that of the questions with a finding. If it is more, it is four times the share of the
        questions that are `unrelated` to their ground truths: of random labels so many are found.
        """
        rows = {one.row for every in self.found.values() for one in every}
        unrelated = LOWER_HALVES * len(self.found.get("unrelated", ()))
        return min(1.0, max(len(rows), unrelated) / max(1, len(self.samples)))

    def summary(self) -> dict[str, Any]:
        """Return counts, shares and examples for `check.json`."""
        return {
            "doubtful_share": self.doubtful,
            "kinds": [
                {
                    "name": kind,
                    "count": len(found),
                    "share": len(found) / max(1, len(self.samples)),
                    "examples": [self._example(one) for one in _spread(found)],
                }
                for kind, found in self.found.items()
            ],
            "not_checked": list(self.not_checked),
        }

    def _example(self, one: Doubt) -> dict[str, Any]:
        samples, context = self.samples, one.context
        return {
            "qa_id": samples.qa_ids[one.row],
            "question": samples.questions[one.row],
            "chunk_id": None if context is None else samples.context_ids[context],
            "chunk": None if context is None else samples.contexts[context],
            "other_qa_id": None if one.other is None else samples.qa_ids[one.other],
            "other_question": None if one.other is None else samples.questions[one.other],
            "count": one.count,
            "answer": one.answer,
        }


class _Look:
    """The data that the kinds of doubt look at. They are prepared once."""

    def __init__(
        self,
        samples: Samples,
        ranks: Ranks,
        threshold: float,
        tokens: Callable[[str], Sequence[str]],
    ) -> None:
        self.samples, self.ranks, self.tokens = samples, ranks, tokens
        offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
        counts = np.asarray(samples.num_relevant)
        self.truths = [
            candidates[start : start + count].tolist()
            for start, count in zip(offsets[:-1], counts, strict=True)
        ]
        texts = list(samples.contexts)
        self.same = same_text(texts)
        self.alike = near_duplicates(texts, threshold)
        self.asked = [tokens(question) for question in samples.questions]
        distinct = {text_key(text): row for row, text in enumerate(samples.questions)}
        self.common = _common([set(self.asked[row]) for row in distinct.values()])
        self.words: Callable[[int], str] = lru_cache(1 << 14)(
            lambda context: words(samples.contexts[context])
        )

    def some_contexts(self) -> list[int]:
        """Return contexts that are evenly spaced."""
        count = len(self.samples.contexts)
        places = np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(int)
        return [int(place) for place in np.unique(places)]


def _contradictions(look: _Look) -> Iterator[Doubt]:
    """Find questions that are worded as another one, or nearly so, but have other ground truths.

    Two questions are nearly the same if they have the same words in the same order, apart from
    words that most questions have. A measure of overlap would not do: questions about one thing
    often differ in a single word, which is what is asked. Of questions with the same text each has
    the ground truths of all, its own first. So the first ones are compared, and of other questions
    all. Chunks that are nearly the same count as one.
    """
    texts = list(look.samples.questions)
    groups: dict[Any, list[int]] = defaultdict(list)
    for row, (text, asked) in enumerate(zip(texts, look.asked, strict=True)):
        told = tuple(word for word in asked if word not in look.common)
        groups[told or tuple(asked) or text_key(text)].append(row)
    kinds = [frozenset(look.alike[truths].tolist()) for truths in look.truths]
    firsts = [int(look.alike[truths[0]]) for truths in look.truths]
    keys = [text_key(text) for text in texts]
    other_of: dict[int, int] = {}
    for rows in groups.values():
        # Two questions with equal text, ground truths and first ground truth say the same.
        distinct: dict[tuple[str, frozenset[int], int], int] = {}
        for row in rows:
            distinct.setdefault((keys[row], kinds[row], firsts[row]), row)
        for row in rows if len(distinct) > 1 else ():
            for (key, kind, first), other in distinct.items():
                differs = first != firsts[row] if key == keys[row] else kind.isdisjoint(kinds[row])
                if differs:
                    other_of.setdefault(row, other)
                    break
    for row, other in sorted(other_of.items()):
        yield Doubt(row, "contradiction", look.truths[other][0], other)


def _near_truths(look: _Look) -> Iterator[Doubt]:
    """Find questions with a chunk that nearly repeats a ground truth, but is no ground truth.

    Chunks with the very text of a ground truth do not count: they are right wherever ranks count.
    """
    members: dict[int, list[int]] = defaultdict(list)
    wanted = {int(look.alike[truth]) for truths in look.truths for truth in truths}
    for context, group in enumerate(look.alike.tolist()):
        if group in wanted:
            members[group].append(context)
    for row, truths in enumerate(look.truths):
        own = {int(look.same[truth]) for truth in truths}
        others = [
            context
            for group in sorted({int(look.alike[truth]) for truth in truths})
            for context in members[group]
            if int(look.same[context]) not in own
        ]
        if others:
            yield Doubt(row, "near_truth", others[0], count=len(others))


def _answers_elsewhere(look: _Look) -> Iterator[Doubt]:
    """Find questions whose answer stands in a chunk without a label, above every ground truth.

    Only the chunks that come first are looked at: no other one changes what is measured much.
    """
    samples, looked_at = look.samples, look.some_contexts()
    most = max(FEW, RARE * len(looked_at))
    sample = [look.words(context) for context in looked_at]

    @lru_cache(1 << 14)
    def is_rare(answer: str) -> bool:
        found = 0
        for text in sample:
            found += has_words(text, answer)
            if found > most:
                return False
        return True

    for row, answer in enumerate(samples.answers):
        wanted = words(answer)
        if not wanted:
            continue
        own = {int(look.same[truth]) for truth in look.truths[row]}
        places = look.ranks.first[row].tolist()
        found = []
        for context in places:
            if int(look.same[context]) in own:
                break
            if has_words(look.words(context), wanted):
                found.append(context)
        if found and is_rare(wanted):
            yield Doubt(row, "answer_elsewhere", found[0], count=len(found), answer=answer)


def _unrelated(look: _Look) -> Iterator[Doubt]:
    """Find questions whose ground truths are in the lower half of both rankings."""
    ranks = look.ranks
    if len(look.samples.contexts) < ENOUGH:
        return
    middle = (ranks.lengths + 1) / 2
    for row in np.flatnonzero((ranks.model > middle) & (ranks.words > middle)).tolist():
        yield Doubt(row, "unrelated", look.truths[row][0])


def _empty(look: _Look) -> Iterator[Doubt]:
    """Find questions without a word, or only with words that most questions or chunks have."""
    contexts = look.samples.contexts
    common = look.common | _common([{*look.tokens(contexts[one])} for one in look.some_contexts()])
    for row, own in enumerate(look.asked):
        if common.issuperset(own):
            yield Doubt(row, "empty")


def _common(texts: Sequence[set[str]]) -> set[str]:
    """Return the words that do not tell texts apart; few texts have none."""
    if len(texts) < ENOUGH:
        return set()
    counts = Counter(word for text in texts for word in text)
    return {word for word, count in counts.items() if count > COMMON * len(texts)}


KINDS: Mapping[str, Callable[[_Look], Iterator[Doubt]]] = {
    "contradiction": _contradictions,
    "near_truth": _near_truths,
    "answer_elsewhere": _answers_elsewhere,
    "unrelated": _unrelated,
    "empty": _empty,
}


def doubtful_labels(
    samples: Samples,
    ranks: Ranks,
    threshold: float,
    tokens: Callable[[str], Sequence[str]],
) -> Doubts:
    """Look for questions with doubtful labels.

    Args:
        samples: n questions over a corpus.
        ranks: how they were ranked.
        threshold: the overlap from which two texts are near-duplicates, from 0.5 to 1; see
            `near_duplicates`.
        tokens: a function that cuts a text into its words, in any script.
    """
    look = _Look(samples, ranks, threshold, tokens)
    unknown = () if any(samples.answers) else ("answer_elsewhere",)
    found = {kind: list(find(look)) for kind, find in KINDS.items() if kind not in unknown}
    return Doubts(samples, found, unknown)


def _spread(found: Sequence[Doubt]) -> list[Doubt]:
    """Return at most `EXAMPLES` findings, evenly spaced."""
    count = len(found)
    places = np.unique(np.linspace(0, count - 1, min(count, EXAMPLES)).astype(int)) if count else ()
    return [found[place] for place in places]
