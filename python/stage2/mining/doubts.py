"""The labels that are most probably wrong, the most doubtful first.

A pair of a question and a passage is doubtful in two ways. An answer may be missing: a passage that
is not labelled looks like one. A label may be wrong: other passages look much more like an answer
than the labelled one does.

The doubt of both is how far the other passage is ahead of the labelled one in the similarity that
is adjusted for hubs (cross-domain similarity local scaling, Conneau et al., ICLR 2018):
2 s(q, c) − r(q) − r(c), where r is the mean of the largest ten similarities of a question to
passages, or of a passage to questions. A passage that is near every question is then no surprise,
and a label that a passage of its own topic beats narrowly is less doubtful than one far off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from stage2._core import Samples, same_text
from stage2.data.answer_words import has_words, words
from stage2.encoding.vectors import Vectors
from stage2.evaluation.run_ranks import RunScores, below
from stage2.mining.audit import Audit
from stage2.mining.search import search_texts, similarities
from stage2.utils.arrays import Floats, Ints

Kind = Literal["missing", "label"]

# So many similarities are averaged where they are adjusted for hubs.
NEIGHBOURS = 10
# So many passages that are not labelled are looked at for each question.
OTHERS = 3
# A wrong label is seen from both sides: the label is far off, and something else is near. That a
# passage is an answer too is seen from one. See docs/how-to/repair-labels.md for what this gives.
MISSING = 0.5
# The weight of what the texts themselves show. The unit is the root mean square of all leads.
_OF_TEXTS: Mapping[str, float] = {"near_duplicate": 4.0, "contains_answer": 1.0, "no_answer": 1.0}


@dataclass(frozen=True)
class Doubt:
    """A doubtful pair.

    Attributes:
        row: the row of the question in the samples.
        kind: `missing` for a passage that may be an answer, `label` for a label that may be wrong.
        context: the doubtful passage, as a row of the contexts of the samples.
        beside: the passage to read beside it: of a missing answer the lowest labelled one, of a
            label the best other one; None if there is none.
        lead: how far the other passage is ahead of the labelled one by the model, see above; None
            if no model has scored them.
        cross_lead: the same by a cross-encoder, in its own scores.
        reasons: the names of what raises doubt, with what was found.
        doubt: by which the pairs are ordered, the largest first.
    """

    row: int
    kind: Kind
    context: int
    beside: int | None
    lead: float | None = None
    cross_lead: float | None = None
    reasons: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    doubt: float = 0.0

    @property
    def pair(self) -> tuple[int, int]:
        """The question and the doubtful passage."""
        return self.row, self.context


@dataclass(frozen=True)
class Scored:
    """A model's scores for n questions: of their labelled passages, and of the best others.

    Attributes:
        own: for each question its labelled passages with their adjusted similarities.
        others: for each question the best passages that are not labelled, the best first.
    """

    own: list[dict[int, float]]
    others: list[dict[int, float]]


def score_corpus(
    samples: Samples, questions: Vectors[Any], contexts: Vectors[Any], device: str = "cpu"
) -> Scored:
    """Score the labelled passages of each question, and find the best others of the corpus.

    A copy of a labelled passage under another id is no other passage.

    Args:
        samples: n questions, whose N contexts are a corpus.
        questions: their vectors.
        contexts: the vectors of the contexts.
        device: where the search runs; the result is the same.
    """
    first = same_text(samples.contexts)
    offsets, rows = _labelled(samples)
    most = int(np.diff(offsets).max(initial=0))
    copies = int(np.bincount(first).max(initial=1))
    depth = max(NEIGHBOURS, OTHERS + most * copies)
    found = search_texts(questions, contexts, depth, device=device)
    near = _mean(found.scores)
    # A passage's neighbours are the questions that are nearest to it.
    back = _mean(search_texts(contexts, questions, NEIGHBOURS, device=device).scores)
    own = 2 * similarities(questions, contexts, rows, offsets).astype(np.float64) - back[rows]
    others, labelled = [], []
    for row in range(len(samples)):
        part = slice(*offsets[row : row + 2])
        mine = rows[part]
        labelled.append(dict(zip(mine.tolist(), (own[part] - near[row]).tolist(), strict=True)))
        keep = ~np.isin(first[found.rows[row]], first[mine])
        best = found.rows[row][keep]
        adjusted = 2 * found.scores[row][keep].astype(np.float64) - near[row] - back[best]
        # The nearest are taken, not the most adjusted: these are what the model would return.
        others.append(dict(zip(best[:OTHERS].tolist(), adjusted[:OTHERS].tolist(), strict=True)))
    return Scored(labelled, others)


def score_run(samples: Samples, run: RunScores) -> Scored:
    """Take the scores of a run, in which a labelled passage that it lacks comes last.

    A run has no similarities of a passage to other questions, so nothing is adjusted for hubs.
    Other passages that it lacks are not looked at.

    Args:
        samples: n questions.
        run: what the run has for them.
    """
    first = same_text(samples.contexts)
    offsets, rows = _labelled(samples)
    own, others = [], []
    for row, (found, scores) in enumerate(zip(run.contexts, run.scores, strict=True)):
        order = np.lexsort((found, -scores))
        known = dict(zip(found.tolist(), (2 * scores.astype(np.float64)).tolist(), strict=True))
        last, mine = 2 * below(scores, 1), rows[slice(*offsets[row : row + 2])]
        # Without any passage the run says nothing of the question.
        own.append({one: known.get(one, last) for one in mine.tolist()} if known else {})
        best = found[order][~np.isin(first[found[order]], first[mine])][:OTHERS]
        others.append({one: known[one] for one in best.tolist()})
    return Scored(own, others)


def score_lists(samples: Samples, scores: Floats) -> Scored:
    """Take the scores of the candidates, where there is no corpus.

    Args:
        samples: the questions.
        scores: float32 (m,), the scores of their m candidates.
    """
    own, others = [], []
    for candidates, found, split in _lists(samples, scores):
        finite = [
            (int(one), 2 * float(score))
            for one, score in zip(candidates[split:], found[split:], strict=True)
            if np.isfinite(score)
        ]
        finite.sort(key=lambda one: (-one[1], one[0]))
        others.append(dict(finite[:OTHERS]))
        own.append({
            int(one): 2 * float(score)
            for one, score in zip(candidates[:split], found[:split], strict=True)
            if np.isfinite(score)
        })  # fmt: skip
    return Scored(own, others)


def doubts(samples: Samples, audit: Audit, scored: Scored | None) -> list[Doubt]:
    """Return all doubtful pairs, the most doubtful first.

    They are what the audit has found by texts and by a cross-encoder, and what the model scores
    above a labelled passage.

    Args:
        samples: the questions with their candidates.
        audit: the audit of them.
        scored: what the model says; None if no model has scored them.
    """
    found = {one.pair: one for one in (_of_scores(scored) if scored is not None else ())}
    texts = _Texts(samples)
    for pair, reasons in _of_texts(samples, audit).items():
        row, context = pair
        known = found.get(pair)
        if known is None:
            known = Doubt(row, "missing", context, _lowest(samples, row, scored))
            if scored is not None:
                known = replace(known, lead=_lead(scored, row, context, known.beside))
        found[pair] = replace(known, reasons=(*known.reasons, *reasons))
    return ordered([texts.told(one) for one in found.values()])


def ordered(pairs: Iterable[Doubt]) -> list[Doubt]:
    """Give each pair its doubt, and return them, the most doubtful first.

    The leads by the model and by the cross-encoder are divided by their root mean squares, so that
    neither scale counts for more.
    """
    found = list(pairs)
    scale = {name: _scale([getattr(one, name) for one in found]) for name in ("lead", "cross_lead")}

    def doubt(one: Doubt) -> float:
        value: float = sum(
            getattr(one, name) / size
            for name, size in scale.items()
            if size and getattr(one, name) is not None
        )
        weight = MISSING if one.kind == "missing" else 1.0
        return weight * value + sum(_OF_TEXTS.get(name, 0.0) for name, _ in one.reasons)

    valued = [replace(one, doubt=doubt(one)) for one in found]
    return sorted(valued, key=lambda one: (-one.doubt, one.row, one.kind, one.context))


# The scores that give such a reason stand in the pair itself.
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _of_scores(scored: Scored) -> Iterator[Doubt]:
    """Yield the pairs of which a model says that another passage is ahead of a labelled one."""
    for row, (own, others) in enumerate(zip(scored.own, scored.others, strict=True)):
        if not own or not others:
            continue
        best = max(own.values())
        low = min(own, key=lambda one: (own[one], one))
        for context, score in others.items():
            if score > best:
                reasons = (("model_above", _NOTHING),)
                yield Doubt(row, "missing", context, low, score - best, reasons=reasons)
        top = max(others, key=lambda one: (others[one], -one))
        for context, score in own.items():
            if others[top] > score:
                reasons = (("label_below", _NOTHING),)
                yield Doubt(row, "label", context, top, others[top] - score, reasons=reasons)


# The checks of the audit that make a negative a doubtful pair. The others find what is certain, or
# what good negatives have too.
_CHECKS = ("near_duplicate", "contains_answer", "cross_encoder_above")


def _of_texts(
    samples: Samples, audit: Audit
) -> dict[tuple[int, int], list[tuple[str, Mapping[str, Any]]]]:
    """Return what the audit says of negatives, by question and passage."""
    found: dict[tuple[int, int], list[tuple[str, Mapping[str, Any]]]] = {}
    for finding in audit.findings:
        if finding.check in _CHECKS and finding.place is not None:
            start = int(samples.offsets[finding.row])
            context = int(samples.candidates[start + finding.place])
            found.setdefault((finding.row, context), []).append((finding.check, finding.values))
    return found


class _Texts:
    """Doubt that the texts of a pair show, beside the checks of the audit."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def told(self, one: Doubt) -> Doubt:
        """Add that an answer stands in the other passage and not in the labelled one."""
        answer = self.samples.answers[one.row]
        known = {name for name, _ in one.reasons}
        if not answer or one.beside is None:
            return one
        there, beside = (self._has(context, answer) for context in (one.context, one.beside))
        if one.kind == "label" and beside and not there:
            return replace(one, reasons=(*one.reasons, ("no_answer", {"answer": answer})))
        if one.kind == "missing" and there and not beside and "contains_answer" not in known:
            return replace(one, reasons=(*one.reasons, ("contains_answer", {"answer": answer})))
        return one

    def _has(self, context: int, answer: str) -> bool:
        return has_words(words(self.samples.contexts[context]), words(answer))


def _lowest(samples: Samples, row: int, scored: Scored | None) -> int | None:
    """Return the labelled passage of a question that scores lowest, or its first one."""
    if scored is not None and (own := scored.own[row]):
        return min(own, key=lambda one: (own[one], one))
    return int(samples.candidates[samples.offsets[row]]) if samples.num_relevant[row] else None


def _lead(scored: Scored, row: int, context: int, beside: int | None) -> float | None:
    """Return the lead of a passage that the audit found, where the model has scored both."""
    score = scored.others[row].get(context)
    if score is None or beside is None or beside not in scored.own[row]:
        return None
    return score - max(scored.own[row].values())


def _labelled(samples: Samples) -> tuple[Ints, Ints]:
    """Return the labelled passages in CSR form: offsets and rows."""
    counts = np.asarray(samples.num_relevant)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    starts = np.asarray(samples.offsets)[:-1]
    places = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
    return offsets, np.asarray(samples.candidates)[places]


def _lists(samples: Samples, scores: Floats) -> Iterator[tuple[Ints, Floats, int]]:
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    for row, split in enumerate(np.asarray(samples.num_relevant).tolist()):
        part = slice(*offsets[row : row + 2])
        yield candidates[part], scores[part], split


def _scale(leads: Sequence[float | None]) -> float:
    """Return the root mean square of leads; 0 if there are none."""
    known = [lead for lead in leads if lead is not None]
    return float(np.sqrt(np.mean(np.square(known)))) if known else 0.0


def _mean(scores: Floats) -> Floats:
    """Return the mean of the largest `NEIGHBOURS` scores of each row: float64 (n,)."""
    return np.asarray(scores[:, :NEIGHBOURS].astype(np.float64).mean(axis=1))


def texts_of(pairs: Sequence[Doubt]) -> list[tuple[int, int]]:
    """Return the question and the passage of all texts that the pairs show, each once."""
    shown = ((one.row, context) for one in pairs for context in (one.context, one.beside))
    return list(dict.fromkeys((row, context) for row, context in shown if context is not None))
