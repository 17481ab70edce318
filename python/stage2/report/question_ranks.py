"""The ranks of every question, and the candidates of some fixed, broken and hard questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from stage2.report.excerpt import CONTEXTS, NAME, TEXT, cut, cut_pieces
from stage2.report.run import Record, Run
from stage2.utils import files

# The page has the ranks of all questions, but the contexts of only so many questions of each kind.
# So a page of 10,000 questions stays small enough to open.
CASES = 50
KINDS = ("fixed", "broken", "hard", "first")


@dataclass(frozen=True)
class Candidates:
    """The candidates of all questions, by the id of the question.

    Attributes:
        before: the scores of the first model, by the number of the candidate.
        after: those of the second model; empty if there is none.
        samples: the texts, as they stand in `constructed_data.jsonl`.
    """

    before: dict[str, Record]
    after: dict[str, Record]
    samples: dict[str, Record]


def read_candidates(run: Run) -> Candidates:
    """Read the candidates of all questions with their scores."""
    return Candidates(
        _scores(run.folder / files.EVALUATION),
        _scores(run.folder / files.EVALUATION_AFTER),
        _samples(run.folder / files.CONSTRUCTED),
    )


def ranks(run: Run) -> list[Record]:
    """Return a row for each question: id, question, set, rank before and after, change, kind."""
    path = run.folder / files.PER_QUESTION
    rows = files.read_jsonl(path) if path.is_file() else _from_evaluations(run.folder)
    source = (run.comparison.get("verdict") or {}).get("source", "candidates")
    return [_rank_row(row, source) for row in rows]


def score_pairs(
    rows: Sequence[Record], candidates: Candidates
) -> dict[str, list[tuple[float, float]]]:
    """Return what each model gives to each question's best ground truth and hardest negative.

    The hardest negative is the one with the highest score among the question's candidates. A
    question without negatives is left out.

    Args:
        rows: the questions, from `ranks`.
        candidates: the candidates of all questions.

    Returns:
        By side, `before` and `after`, a pair of scores for each question.
    """
    found: dict[str, list[tuple[float, float]]] = {"before": [], "after": []}
    for row in rows:
        sample = candidates.samples.get(row["id"])
        count = len(sample["ground_truth_contexts"]) if sample else 0
        for side, scores in (("before", candidates.before), ("after", candidates.after)):
            given = scores.get(row["id"], {})
            right = [score for place, score in given.items() if int(place) < count]
            wrong = [score for place, score in given.items() if int(place) >= count]
            if right and wrong:
                found[side].append((max(right), max(wrong)))
    return found


def cases(
    run: Run, rows: list[Record], candidates: Candidates, left_out: str
) -> dict[str, list[Record]]:
    """Return the first `CASES` questions of each kind with their contexts, scores and entities.

    Args:
        run: the run folder.
        rows: the rows of all questions, from `ranks`.
        candidates: the candidates of all questions.
        left_out: a sentence with a place for `{count}`, the number of characters left out.
    """
    numbered = [row | {"row": number} for number, row in enumerate(rows)]
    chosen = {kind: [row for row in numbered if row["kind"] == kind][:CASES] for kind in KINDS}
    wanted = {row["id"] for group in chosen.values() for row in group}
    samples = {id_: sample for id_, sample in candidates.samples.items() if id_ in wanted}
    texts = [text for sample in samples.values() for text in _texts(sample)]
    marked = {
        text: cut_pieces(found, TEXT, left_out)
        for text, found in zip(texts, _marked(run, texts), strict=True)
    }
    return {
        kind: [
            _case(row, samples.get(row["id"], {}), candidates, marked)
            | {"name": cut(row["id"], NAME, left_out)}
            for row in group
        ]
        for kind, group in chosen.items()
    }


def _rank_row(row: Record, source: str) -> Record:
    of_source: Record = row["ranks"].get(source) or next(iter(row["ranks"].values()), {})
    before, after = of_source.get("before"), of_source.get("after")
    change = row["change"]
    kind = change if change in ("fixed", "broken") else None
    if kind is None and after is not None:
        kind = "hard" if after > 1 else "first"
    return {
        "id": str(row["qa_id"]),
        "question": row["question"],
        "set": row["set"],
        "held_out": bool(row.get("held_out")),
        "before": before,
        "after": after,
        "change": change,
        "kind": kind,
    }


def _from_evaluations(folder: Path) -> list[Record]:
    """Make the rows from the evaluations, for a folder without `per_question.jsonl`."""
    before = folder / files.EVALUATION
    if not before.is_file():
        return []
    after = folder / files.EVALUATION_AFTER
    second = files.read_json(after) if after.is_file() else []
    later = {str(row["qa_id"]): _expected(row) for row in second}
    rows = []
    for row in files.read_json(before):
        first, last = _expected(row), later.get(str(row["qa_id"]))
        ranked = {"candidates": {"before": first, "after": last}}
        rows.append({
            "qa_id": row["qa_id"], "question": row["question"], "set": "all", "ranks": ranked,
            "change": _change(first, last),
        })  # fmt: skip
    return rows


def _expected(row: Record) -> float:
    return float(row["consistency_metrics"]["expected_rank"])


def _change(before: float, after: float | None) -> str:
    if after is None or before == after:
        return "same"
    if (before <= 1) != (after <= 1):
        return "fixed" if after <= 1 else "broken"
    return "better" if after < before else "worse"


def _scores(path: Path) -> dict[str, Record]:
    rows = files.read_json(path) if path.is_file() else []
    return {str(row["qa_id"]): row["similarities"] for row in rows}


def _samples(path: Path) -> dict[str, Record]:
    rows = files.read_jsonl(path) if path.is_file() else []
    return {str(row["qa_id"]): row for row in rows}


def _texts(sample: Record) -> list[str]:
    return [sample["question"], *sample["ground_truth_contexts"], *sample["negative_contexts"]]


def _case(
    row: Record,
    sample: Record,
    candidates: Candidates,
    marked: dict[str, list[tuple[str, bool]]],
) -> Record:
    right = len(sample.get("ground_truth_contexts", ()))
    first, last = (side.get(row["id"], {}) for side in (candidates.before, candidates.after))
    contexts: list[Record] = [
        {
            "text": marked[text],
            "right": place < right,
            "before": first.get(str(place)),
            "after": last.get(str(place)),
        }
        for place, text in enumerate(_texts(sample)[1:] if sample else ())
    ]
    contexts.sort(key=lambda c: -(c["after"] if c["after"] is not None else c["before"] or 0.0))
    shown = contexts[:CONTEXTS]
    # The first ground truth is always shown, because readers compare the others with it.
    shown += [context for context in contexts[CONTEXTS:] if context["right"]][:1]
    return row | {
        "text": marked.get(row["question"]) or [(row["question"][:TEXT], False)],
        "contexts": shown,
        "contexts_left_out": len(contexts) - len(shown),
    }


def _marked(run: Run, texts: list[str]) -> Iterator[list[tuple[str, bool]]]:
    """Yield the pieces of each text, each with whether it is an entity."""
    path = _annotations(run)
    if path is None or not texts:
        yield from ([(text, False)] for text in texts)
        return
    from stage2.data.dataset import Annotations

    spans, offsets = Annotations.load(path, "skip").spans_for(texts)
    for text, (start, end) in zip(texts, pairwise(offsets.tolist()), strict=True):
        yield list(pieces(text, sorted(map(tuple, spans[start:end].tolist()))))


def pieces(text: str, spans: list[Any]) -> Iterator[tuple[str, bool]]:
    """Cut a text into pieces, each with whether it is an entity.

    Args:
        text: the text.
        spans: start and end of the entities, sorted by start. Overlapping spans count once.
    """
    at = 0
    for start, end in spans:
        if end <= at:
            continue
        if start > at:
            yield text[at:start], False
        yield text[max(start, at) : end], True
        at = end
    if at < len(text):
        yield text[at:], False


def _annotations(run: Run) -> Path | None:
    """Return the file of entities that the folder was made from, if it has not changed."""
    known = run.data.get("files", {}).get("entities")
    if not known:
        return None
    of_sample = run.data.get("source") == "sample"
    path = run.folder / files.SAMPLE / known["path"] if of_sample else Path(known["path"])
    return path if path.is_file() and files.sha256(path) == known["sha256"] else None
