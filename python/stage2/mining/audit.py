"""The audit of negatives: false negatives, repeated ones, lists that are too short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from stage2._core import Samples, text_key
from stage2.config import default
from stage2.data.answer_words import has_words, words
from stage2.data.near_duplicates import Shingles, jaccard, shingles
from stage2.utils.arrays import Floats, Ints, Mask

# The values that a check has found, by name.
Values = Mapping[str, Any]

_EXCERPT = 160


@dataclass(frozen=True)
class Check:
    """A kind of finding. `report.audit_meanings` has its words.

    Attributes:
        name: the name in `audit.jsonl`.
        false_negative: whether --drop-false-negatives leaves such a negative out of training.
        strict: whether --strict fails on it. The other kinds are hints; good negatives often have
            them.
    """

    name: str
    false_negative: bool = False
    strict: bool = True


CHECKS = (
    Check("positive", false_negative=True),
    Check("near_duplicate", false_negative=True),
    Check("contains_answer", false_negative=True),
    Check("cross_encoder_above", false_negative=True),
    Check("model_above", strict=False),
    Check("sibling", strict=False),
    Check("repeated"),
    Check("not_finite"),
    Check("short_list"),
)
_CHECK = {check.name: check for check in CHECKS}


@dataclass(frozen=True)
class Evidence:
    """What is known about samples with m candidates besides their texts.

    Attributes:
        negatives: how many negatives each question should have; None means as many as the question
            with the most.
        titles: the title of each context of the samples, "" for no title; None if not known.
        scores: float32 (m,), the scores of the model that is to be trained; None if not known.
        cross_scores: float32 (m,), the scores of a cross-encoder; None if not known.
        cross_margin: a negative is probably false if the cross-encoder's score of it is above the
            score of the lowest ground truth minus this margin.
        threshold: the Jaccard index from which two texts are near-duplicates.
    """

    negatives: int | None = None
    titles: Sequence[str] | None = None
    scores: Floats | None = None
    cross_scores: Floats | None = None
    cross_margin: float = 0.0
    threshold: float = default("near_duplicate")


@dataclass(frozen=True)
class Finding:
    """A finding, which becomes a row of `audit.jsonl`.

    Attributes:
        row: the row of the question.
        check: the name of the check.
        place: the place of the negative among the question's candidates, from 0, ground truths
            first; None if the finding is about the whole list.
        values: what was found. `report.audit_meanings` makes a sentence of it.
    """

    row: int
    check: str
    place: int | None
    values: Values


@dataclass(frozen=True)
class Audit:
    """The findings of an audit.

    Attributes:
        samples: the samples.
        findings: the findings, by question, place and check.
        not_checked: the names of the checks for which there was no evidence.
    """

    samples: Samples
    findings: list[Finding]
    not_checked: tuple[str, ...]

    @cached_property
    def false_negatives(self) -> Mask:
        """The candidates that --drop-false-negatives leaves out of training: bool (m,)."""
        offsets = np.asarray(self.samples.offsets)
        found = np.zeros(offsets[-1], np.bool_)
        for finding in self.findings:
            if finding.place is not None and _CHECK[finding.check].false_negative:
                found[offsets[finding.row] + finding.place] = True
        return found

    @property
    def strict_count(self) -> int:
        """The number of findings that --strict fails on."""
        return sum(_CHECK[finding.check].strict for finding in self.findings)

    def summary(self) -> dict[str, Any]:
        """Return the content of `audit.json`, without the words for people."""
        samples = self.samples
        return {
            "questions": len(samples),
            "negatives": len(samples.candidates) - int(np.sum(samples.num_relevant)),
            "false_negatives": int(self.false_negatives.sum()),
            "checks": [
                {
                    "name": check.name,
                    "count": len(found),
                    "questions": len({finding.row for finding in found}),
                    "false_negative": check.false_negative,
                    "strict": check.strict,
                }
                for check in CHECKS
                if check.name not in self.not_checked
                for found in [[one for one in self.findings if one.check == check.name]]
            ],
            "not_checked": list(self.not_checked),
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of `audit.jsonl`, with values in place of the words for people."""
        samples = self.samples
        for finding in self.findings:
            context = None
            if finding.place is not None:
                start = int(samples.offsets[finding.row])
                context = int(samples.candidates[start + finding.place])
            yield {
                "qa_id": samples.qa_ids[finding.row],
                "check": finding.check,
                "position": finding.place,
                "chunk_id": None if context is None else samples.context_ids[context],
                "excerpt": None if context is None else _excerpt(samples.contexts[context]),
                "values": dict(finding.values),
            }


def audit(samples: Samples, evidence: Evidence | None = None) -> Audit:
    """Check each question's negatives.

    Two texts are the same if they have the same `text_key`. Answers are searched by their words. A
    check without its evidence is not made, and is named in `not_checked`.

    Args:
        samples: the questions with their candidates.
        evidence: what else is known about them.
    """
    evidence = evidence or Evidence()
    look = _Look(samples, evidence)
    findings = [
        Finding(row, check, place, values)
        for row in range(len(samples))
        for check, place, values in look.at(row)
    ]
    order = {check.name: place for place, check in enumerate(CHECKS)}
    findings.sort(key=lambda one: (one.row, one.place or -1, order[one.check]))
    known = {
        "contains_answer": any(samples.answers),
        "sibling": evidence.titles is not None and any(evidence.titles),
        "model_above": evidence.scores is not None,
        "cross_encoder_above": evidence.cross_scores is not None,
        "not_finite": evidence.scores is not None or evidence.cross_scores is not None,
    }
    return Audit(samples, findings, tuple(name for name, there in known.items() if not there))


# A finding of one question: check, place, values.
_Found = tuple[str, int | None, Values]
# By what two contexts are the same: `id` or `text`, and its value.
_Key = tuple[str, str]


class _Look:
    """The checks, made for one question after another."""

    def __init__(self, samples: Samples, evidence: Evidence) -> None:
        self.samples = samples
        self.evidence = evidence
        self.offsets = np.asarray(samples.offsets)
        self.relevant = np.asarray(samples.num_relevant)
        self.candidates = np.asarray(samples.candidates)
        counts = np.diff(self.offsets) - self.relevant
        most = int(counts.max(initial=0))
        self.wanted = most if evidence.negatives is None else evidence.negatives
        # Neighbouring questions share contexts. The keys of a whole corpus would not fit in memory.
        self.plain: Callable[[int], str] = lru_cache(1 << 14)(
            lambda context: text_key(samples.contexts[context])
        )
        self.words: Callable[[int], str] = lru_cache(1 << 12)(
            lambda context: words(samples.contexts[context])
        )
        self.shingles: Callable[[int], Shingles] = lru_cache(1 << 12)(
            lambda context: shingles(samples.contexts[context])
        )
        self.alike: dict[str, list[int]] = {}
        for row, question in enumerate(samples.questions):
            self.alike.setdefault(text_key(question), []).append(row)

    def at(self, row: int) -> Iterator[_Found]:
        """Yield the findings of one question."""
        start, split, end = self._bounds(row)
        if end - split < self.wanted:
            yield "short_list", None, {"negatives": end - split, "wanted": self.wanted}
        positives = self.candidates[start:split].tolist()
        negatives = self.candidates[split:end].tolist()
        first = split - start
        yield from self._texts(row, positives, negatives, first)
        yield from self._repeated(negatives, first)
        yield from self._scores("model_above", self.evidence.scores, row, 0.0)
        yield from self._scores(
            "cross_encoder_above", self.evidence.cross_scores, row, self.evidence.cross_margin
        )

    def _bounds(self, row: int) -> tuple[int, int, int]:
        """Return where a question's candidates start, where its negatives start, and their end."""
        start, end = self.offsets[row : row + 2].tolist()
        return start, start + int(self.relevant[row]), end

    def _texts(
        self, row: int, positives: list[int], negatives: list[int], first: int
    ) -> Iterator[_Found]:
        answers = self._answers(row)
        titles = self.evidence.titles
        own_titles = {titles[context] for context in positives} - {""} if titles else set()
        truths = self._truths(row)
        for place, context in enumerate(negatives, first):
            whose = [truths[key] for key in self._keys(context) if key in truths]
            if whose:
                yield "positive", place, {"truth": whose[0]}
            elif (best := self._nearest(positives, context))[0] >= self.evidence.threshold:
                truth = self.samples.context_ids[best[1]]
                yield "near_duplicate", place, {"index": best[0], "truth": truth}
            there = [answer for answer in answers if has_words(self.words(context), answer)]
            if there:
                yield "contains_answer", place, {"answer": answers[there[0]]}
            if titles and titles[context] in own_titles:
                yield "sibling", place, {"title": titles[context]}

    def _answers(self, row: int) -> dict[str, str]:
        """Map the words of each answer of a question to the answer; its own row's comes first."""
        same = self.alike[text_key(self.samples.questions[row])]
        found: dict[str, str] = {}
        for one in [row, *same]:
            answer = self.samples.answers[one]
            found.setdefault(words(answer), answer)
        return found

    def _truths(self, row: int) -> dict[_Key, str]:
        """Map the ids and the text keys of the ground truths to their ids."""
        found: dict[_Key, str] = {}
        start, split, _ = self._bounds(row)
        for context in self.candidates[start:split].tolist():
            for key in self._keys(context):
                found.setdefault(key, self.samples.context_ids[context])
        return found

    def _nearest(self, positives: list[int], context: int) -> tuple[float, int]:
        """Return the largest overlap of a context with a ground truth, and that ground truth."""
        own = self.shingles(context)
        return max((jaccard(self.shingles(one), own), one) for one in positives)

    def _repeated(self, negatives: list[int], first: int) -> Iterator[_Found]:
        seen: dict[_Key, int] = {}
        for place, context in enumerate(negatives, first):
            keys = self._keys(context)
            before = [seen[key] for key in keys if key in seen]
            if before:
                yield "repeated", place, {"position": min(before)}
            for key in keys:
                seen.setdefault(key, place)

    def _scores(
        self, check: str, scores: Floats | None, row: int, margin: float
    ) -> Iterator[_Found]:
        """Yield the negatives whose score is too high, and the scores that are not finite.

        A score is too high if it is above that of the lowest ground truth minus the margin.
        """
        if scores is None:
            return
        start, split, end = self._bounds(row)
        finite = np.isfinite(scores[start:end])
        for place in np.flatnonzero(~finite).tolist():
            yield "not_finite", place, {"of": check, "score": float(scores[start + place])}
        if not finite[: split - start].any():
            return
        lowest = float(scores[start:split][finite[: split - start]].min())
        for place in range(split - start, end - start):
            value = float(scores[start + place])
            if finite[place] and value > lowest - margin:
                yield check, place, {"score": value, "lowest": lowest}

    def _keys(self, context: int) -> list[_Key]:
        """Return the keys of a context: that of its text, and its id if it has one."""
        name = self.samples.context_ids[context]
        return [("text", self.plain(context)), *([("id", name)] if name else [])]


def with_negatives(offsets: Ints, num_relevant: Ints, dropped: Mask) -> Mask:
    """Return which of n questions still have a negative after some candidates are dropped.

    Args:
        offsets: int64 (n + 1,), where each question's candidates start.
        num_relevant: int64 (n,), the number of ground truths at the start of each list.
        dropped: bool (m,), the candidates that are dropped.

    Returns:
        bool (n,).
    """
    kept = np.concatenate([[0], np.cumsum(~dropped)])[offsets]
    return np.asarray(np.diff(kept) > num_relevant)


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 1]}…"
