"""Judgements brought back into the labels of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stage2._core import same_text
from stage2.data.judgements import ANSWER, UNSURE, Judgement
from stage2.data.tables import Lists, Tables, texts_of
from stage2.variants import Format

# The counts in the order in which they are told, with the words for people.
TOLD: Mapping[str, str] = {
    "answers_added": "answers added",
    "answers_dropped": "answers dropped",
    "negatives_added": "negatives added",
    "unanswered": "questions that have lost their last answer",
    "agreeing": "pairs whose judgement is what the label says already",
    "disputed": "pairs left as they are, because judges disagree",
    "too_few": "pairs left as they are, because fewer judges agree than --agree asks for",
    "unsure": "pairs left as they are, because nobody is sure",
    "judged_again": "judgements replaced by a later one of the same judge",
    "of_others": "judgements left out, because --who does not name their judge",
    "no_place": "judged negatives left out, because the data have no negatives and the format has "
    "no place for judgements",
}

# The grade of an answer that a judge has added, and that of a chunk that was judged to be none.
_ADDED, _NONE = 1.0, 0.0


@dataclass(frozen=True)
class Rules:
    """How judgements become labels.

    Attributes:
        agree: so many judges must say the same, and none the contrary.
        who: the names of the judges that count; empty for all.
        negatives: whether a pair that is no answer is kept as a negative, where there is none yet.
    """

    agree: int = 1
    who: frozenset[str] = frozenset()
    negatives: bool = True


@dataclass(frozen=True)
class Relabelled:
    """The result of a relabelling.

    Attributes:
        tables: the data set with the new labels.
        changes: the rows of `relabelled.jsonl`.
        counts: how often each of `TOLD` happened.
    """

    tables: Tables
    changes: list[dict[str, Any]]
    counts: Counter[str]


def keeps_negatives(tables: Tables, kind: Format) -> bool:
    """Return whether judged negatives can be written in a format.

    Qrels have grades, of which 0 is such a judgement. Another format has lists of negatives, which
    are all that a question is trained with: a few judged ones must not become the lists of a data
    set that has none.
    """
    holds = kind.holds or frozenset()
    of_qrels = "grades" in holds and "negatives" not in holds
    return of_qrels or ("negatives" in holds and len(tables.negatives.chunks) > 0)


def relabel(tables: Tables, judgements: Sequence[Judgement], rules: Rules) -> Relabelled:
    """Bring judgements into the labels.

    Of several judgements of one judge on one pair the last counts. A pair is changed if at least
    `rules.agree` judges say the same of it and nobody says the contrary; `unsure` says nothing. A
    judgement counts for all questions with the same text, and a chunk that is no answer is dropped
    with its copies, because two texts that are the same are one. A question may lose its last
    answer: no label is better than a wrong one.

    Args:
        tables: the data set that was judged.
        judgements: what the judges say of its pairs.
        rules: how that becomes labels.
    """
    labels = _Labels(tables)
    counts: Counter[str] = Counter()
    changes: list[dict[str, Any]] = []
    for (question, chunk), votes in _by_pair(labels, judgements, rules, counts).items():
        verdict, why = decide(votes, rules.agree)
        if verdict is None:
            counts[why] += 1
            continue
        told = [vote.facts() for vote in votes if vote.kind == verdict]
        done = labels.change(question, chunk, verdict, rules.negatives)
        counts.update(name for name, *_ in done)
        for name, row, changed, before in done:
            if name in _AFTER:
                changes.append({
                    "question_id": tables.question_ids[row],
                    "chunk_id": tables.chunk_ids[changed],
                    "change": name,
                    "before": before,
                    "after": _AFTER[name](rules),
                    "judged": told,
                })  # fmt: skip
    counts["unanswered"] = labels.unanswered()
    return Relabelled(labels.tables(), changes, Counter({k: v for k, v in counts.items() if v}))


def decide(votes: Iterable[Judgement], agree: int) -> tuple[str | None, str]:
    """Return what the judges of a pair say together; None with the reason if it stays as it is.

    Args:
        votes: the last judgement of each judge.
        agree: so many judges must say the same.
    """
    found = Counter(vote.kind for vote in votes if vote.kind != UNSURE)
    if not found:
        return None, "unsure"
    if len(found) > 1:
        return None, "disputed"
    ((kind, count),) = found.items()
    return (kind, "") if count >= agree else (None, "too_few")


# The label after a change, by the change.
_AFTER: Mapping[str, Any] = {
    "answers_added": lambda _: "answer",
    "answers_dropped": lambda rules: "negative" if rules.negatives else None,
    "negatives_added": lambda _: "negative",
}

# A change: its name, the question, the chunk, and the label before.
_Change = tuple[str, int, int, str | None]


@dataclass
class _Candidates:
    """The candidates of a question: for each chunk its grade and its score."""

    relevant: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    negatives: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)


class _Labels:
    """The labels of tables, to be changed."""

    def __init__(self, tables: Tables) -> None:
        self.before = tables
        self.first = same_text(texts_of(tables.questions)).tolist()
        self.alike: dict[int, list[int]] = {}
        for row, first in enumerate(self.first):
            self.alike.setdefault(first, []).append(row)
        titles = [""] * len(tables.chunk_ids)
        if tables.titles is not None:
            titles = [title or "" for title in texts_of(tables.titles)]
        texts = zip(titles, texts_of(tables.texts), strict=True)
        self.chunk = same_text([f"{title} {text}" for title, text in texts]).tolist()
        self.changed: dict[int, _Candidates] = {}
        self.answered = np.diff(tables.relevant.offsets) > 0

    def change(self, question: int, chunk: int, verdict: str, negatives: bool) -> list[_Change]:
        """Change a pair for all questions of the text, and return what was changed."""
        done: list[_Change] = []
        for row in self.alike[self.first[question]]:
            own = self.changed.setdefault(row, self._candidates(row))
            if verdict == ANSWER:
                done += self._answer(own, row, chunk)
            else:
                done += self._no_answer(own, row, chunk, negatives)
        if all(name == "agreeing" for name, *_ in done):
            return done[:1]
        return [one for one in done if one[0] != "agreeing"]

    def unanswered(self) -> int:
        """Count the questions that had an answer and have none now."""
        return sum(
            bool(self.answered[row]) and not own.relevant for row, own in self.changed.items()
        )

    def tables(self) -> Tables:
        """Return the tables with the changed labels."""
        relevant, negatives = (
            _lists(getattr(self.before, name), self.changed, name)
            for name in ("relevant", "negatives")
        )
        return replace(self.before, relevant=relevant, negatives=negatives)

    def _candidates(self, row: int) -> _Candidates:
        relevant, negatives = (
            {chunk: (grade, score) for chunk, grade, score in lists.of(row)}
            for lists in (self.before.relevant, self.before.negatives)
        )
        return _Candidates(relevant, negatives)

    def _copies(self, chunks: Iterable[int], chunk: int) -> list[int]:
        return [one for one in chunks if self.chunk[one] == self.chunk[chunk]]

    def _answer(self, own: _Candidates, row: int, chunk: int) -> list[_Change]:
        if self._copies(own.relevant, chunk):
            return [("agreeing", row, chunk, "answer")]
        # The text answers, so it is no negative under another id either.
        were = self._copies(own.negatives, chunk)
        score = own.negatives.get(chunk, (None, None))[1]
        for one in were:
            del own.negatives[one]
        own.relevant[chunk] = (_ADDED, score)
        return [("answers_added", row, chunk, "negative" if were else None)]

    def _no_answer(self, own: _Candidates, row: int, chunk: int, negatives: bool) -> list[_Change]:
        if were := self._copies(own.relevant, chunk):
            for one in were:
                _, score = own.relevant.pop(one)
                if negatives:
                    own.negatives[one] = (_NONE, score)
            return [("answers_dropped", row, one, "answer") for one in were]
        if self._copies(own.negatives, chunk):
            return [("agreeing", row, chunk, "negative")]
        if not negatives:
            return [("no_place", row, chunk, None)]
        own.negatives[chunk] = (_NONE, None)
        return [("negatives_added", row, chunk, None)]


def _by_pair(
    labels: _Labels, judgements: Sequence[Judgement], rules: Rules, counts: Counter[str]
) -> dict[tuple[int, int], Collection[Judgement]]:
    """Return the last judgement of each judge that counts, by the texts of the pair."""
    found: dict[tuple[int, int], dict[str, Judgement]] = {}
    named: dict[tuple[int, int], tuple[int, int]] = {}
    for one in judgements:
        if rules.who and one.by not in rules.who:
            counts["of_others"] += 1
            continue
        texts = labels.first[one.question], labels.chunk[one.chunk]
        pair = named.setdefault(texts, (one.question, one.chunk))
        votes = found.setdefault(pair, {})
        counts["judged_again"] += one.by in votes
        votes[one.by] = one
    return {pair: votes.values() for pair, votes in found.items()}


def _lists(before: Lists, changed: Mapping[int, _Candidates], name: str) -> Lists:
    """Return lists in which those of some questions are others."""
    count = len(before.offsets) - 1
    rows = [
        [(chunk, *values) for chunk, values in getattr(changed[row], name).items()]
        if row in changed
        else list(before.of(row))
        for row in range(count)
    ]
    flat = [one for row in rows for one in row]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Lists(
        offsets,
        np.asarray([chunk for chunk, *_ in flat], np.int64),
        _column([grade for _, grade, _ in flat]),
        _column([score for _, _, score in flat]),
    )


def _column(values: list[float | None]) -> Any:
    """Return a column with NaN where there is no value; None if there are none at all."""
    if all(value is None for value in values):
        return None
    return np.asarray([np.nan if value is None else value for value in values], np.float64)
