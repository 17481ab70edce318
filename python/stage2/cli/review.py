"""The review of doubtful labels: what `stage2 audit --review` writes for those who judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stage2._core import Samples
from stage2.cli import console
from stage2.cli.inputs import Inputs
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.data.judgements import ANSWER, NOT, UNSURE, question_hash, row_of
from stage2.data.tables import made_id
from stage2.encoding.similarity import DECIMALS
from stage2.evaluation.evaluate import Evaluation
from stage2.mining.audit import Audit
from stage2.mining.doubts import Doubt, Scored, doubts, ordered, score_corpus, score_lists, texts_of
from stage2.models.reranker import Reranker
from stage2.report.review import write_review
from stage2.utils import files
from stage2.utils.arrays import Floats
from stage2.utils.device import resolve_device

# So many pairs are on the page, unless --review-pairs says another number.
PAIRS = 500


@dataclass(frozen=True)
class Known:
    """The facts about the questions beside their texts.

    Attributes:
        audit: the audit of their negatives.
        evaluation: the ranks by a model or another system; None if there is none.
        scores: float32 (m,), the scores of the candidates; None if they are not known.
        cross_encoder: a cross-encoder that judges the pairs, or None.
        scored: what a system without vectors says of labelled and other passages, or None.
    """

    audit: Audit
    evaluation: Evaluation | None
    scores: Floats | None
    cross_encoder: Reranker | None
    scored: Scored | None = None


def review(
    settings: Settings, run: RunFolder, inputs: Inputs, known: Known, limit: int
) -> list[Doubt]:
    """Write the page of doubtful pairs, the same pairs as rows, and a cross-encoder's judgements.

    Returns:
        The pairs that are on the page, the most doubtful first.
    """
    samples = inputs.samples
    found = doubts(samples, known.audit, _scored(settings, inputs, known))
    shown = found[:limit]
    if known.cross_encoder is not None and shown:
        scores = _cross_scores(known.cross_encoder, samples, shown, settings.precision)
        shown = ordered([replace(one, cross_lead=_cross_lead(one, scores)) for one in shown])
        files.write_jsonl(
            run / files.CROSS_JUDGEMENTS,
            [_judged(settings, samples, one, scores) for one in shown],
        )
        console.say(f"the cross-encoder's judgements: {run / files.CROSS_JUDGEMENTS}")
    rows = [row(samples, one) for one in shown]
    files.write_jsonl(run / files.REVIEW_ROWS, rows)
    write_review(run / files.REVIEW, rows, len(found), settings.language)
    console.keep(review={"pairs": len(found), "shown": len(shown)})
    more = f" of {len(found)}, the most doubtful; --review-pairs N shows more"
    console.say(f"{len(shown)} doubtful pairs{more if len(shown) < len(found) else ''}")
    console.say(f"judge them in a browser: {run / files.REVIEW}")
    return shown


def row(samples: Samples, one: Doubt) -> dict[str, Any]:
    """Return a doubtful pair as a row of `review.jsonl`."""
    question = samples.questions[one.row]
    return {
        "question_id": samples.qa_ids[one.row],
        "question_hash": question_hash(question),
        "chunk_id": _name(samples, one.context),
        "kind": one.kind,
        "doubt": round(one.doubt, DECIMALS),
        "reasons": [{"name": name, **values} for name, values in one.reasons],
        "question": question,
        "answer": samples.answers[one.row],
        "passage": samples.contexts[one.context],
        "beside_chunk_id": None if one.beside is None else _name(samples, one.beside),
        "beside": None if one.beside is None else samples.contexts[one.beside],
    }


def _name(samples: Samples, context: int) -> str:
    """Return the id of a context; of one without an id that which other readers make of it."""
    return samples.context_ids[context] or made_id("", samples.contexts[context])


def _scored(settings: Settings, inputs: Inputs, known: Known) -> Scored | None:
    """Return what the model says of the corpus or, without one, of the candidates."""
    found = known.evaluation
    if known.scored is not None:
        return known.scored
    if found is not None and len(found.lists.corpus):
        vectors, lists = found.embeddings, found.lists
        device = resolve_device(settings.device).type
        questions, contexts = vectors.take(lists.questions), vectors.take(lists.corpus)
        return score_corpus(inputs.samples, questions, contexts, device)
    if known.scores is None:
        console.say("no model is named and no scores are in the folder: the texts alone tell doubt")
        return None
    return score_lists(inputs.samples, known.scores)


# The scores of a cross-encoder, by the rows of question and passage.
_Scores = dict[tuple[int, int], float]


def _cross_scores(
    cross_encoder: Reranker, samples: Samples, shown: Sequence[Doubt], precision: str
) -> _Scores:
    pairs = texts_of(shown)
    asked, read = (np.asarray(rows, np.int64) for rows in zip(*pairs, strict=True))
    with console.bar("cross-encoder", "pair") as progress:
        scores = cross_encoder.score(
            samples.questions.take(asked),
            samples.contexts.take(read),
            precision=precision,
            progress=progress,
        )
    # Scores are compared as they are written, so that the last bits of a machine decide nothing.
    return {
        pair: round(score, DECIMALS) for pair, score in zip(pairs, scores.tolist(), strict=True)
    }


def _cross_lead(one: Doubt, scores: _Scores) -> float | None:
    """Return how far the other passage is ahead; None if a score is missing or not finite."""
    if one.beside is None:
        return None
    lead = scores[one.row, one.context] - scores[one.row, one.beside]
    lead = lead if one.kind == "missing" else -lead
    return lead if np.isfinite(lead) else None


def _judged(settings: Settings, samples: Samples, one: Doubt, scores: _Scores) -> dict[str, Any]:
    """Return the judgement of the cross-encoder.

    A passage that scores above the labelled one less --cross-encoder-margin is an answer, as in the
    audit. A label is none where another passage scores above it by more than the margin.
    """
    judgement, margin, lead = UNSURE, settings.cross_encoder_margin, one.cross_lead
    if lead is not None and one.kind == "missing":
        judgement = ANSWER if lead > -margin else NOT
    elif lead is not None:
        judgement = NOT if lead > margin else ANSWER
    score = scores[one.row, one.context]
    found = row_of(
        samples.qa_ids[one.row],
        samples.questions[one.row],
        _name(samples, one.context),
        judgement,
        str(settings.cross_encoder),
    )
    found["score"] = score if np.isfinite(score) else None
    if lead is not None and one.beside is not None:
        found["note"] = f"the other passage scores {scores[one.row, one.beside]:.{DECIMALS}f}"
    return found
