"""`stage2 audit`, and the audit of the samples that `mine` and `run` have mined."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stage2._core import Samples
from stage2.cli import console
from stage2.cli.dry_run import Work, Workload
from stage2.cli.inputs import Inputs, with_folder_files, write_rejected
from stage2.cli.rerankers import reranker
from stage2.cli.review import PAIRS, Known, review
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.stage1 import hashes_of_model, load_given, placed
from stage2.cli.systems import named_system
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, cross_encoding, evaluation
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.encoding.similarity import DECIMALS
from stage2.evaluation.evaluate import Evaluation
from stage2.mining.audit import Audit, Evidence, audit
from stage2.models.reranker import Reranker, reranker_hash
from stage2.report.audit_meanings import with_details, with_meanings
from stage2.report.columns import aligned
from stage2.utils import files
from stage2.utils.arrays import Floats, Mask
from stage2.utils.device import resolve_device, resolve_precision
from stage2.utils.errors import BadInputError, RunFailedError

_HEADERS = {
    "en": ("check", "found", "questions", "a negative that …"),
    "zh": ("检查", "发现", "问题数", "含义"),
}
_TOTALS = {
    "en": "{negatives} negatives of {questions} questions; {false_negatives} probably false",
    "zh": "{questions} 个问题，{negatives} 个负例；{false_negatives} 个可能是假负例",
}
_NOT_CHECKED = {"en": "not checked, for want of data: {names}", "zh": "缺少数据，未检查：{names}"}


@dataclass(frozen=True)
class Flags:
    """The flags of the command that are no settings.

    Attributes:
        strict: whether it fails where anything but a hint is found.
        review: whether doubtful labels are written for those who judge them.
        review_pairs: so many pairs are written; None for the usual number.
    """

    strict: bool = False
    review: bool = False
    review_pairs: int | None = None


@in_run_folder(adds="audit")
def audit_command(settings: Settings, run: RunFolder, flags: Flags) -> None:
    """Audit the negatives of --data, of --qa and --chunks, or of the folder."""
    if flags.review_pairs is not None and not flags.review:
        raise BadInputError(
            f"--review-pairs {flags.review_pairs} has no effect here: it works with --review"
        )
    resolve_precision(settings.precision, resolve_device(settings.device))
    settings, inputs = with_folder_files(settings, run)
    hashes = dict(inputs.hashes)
    model, system = None, named_system(settings)
    if system is not None:
        system.check(inputs)
        hashes |= system.hashes
    if settings.model is not None:
        model = load_given(settings, settings.model)
        hashes |= hashes_of_model(settings, settings.model)
    cross_encoder, cross_hashes = load_cross_encoder(settings)
    hashes |= cross_hashes
    scores, ranked, scored = None, None, None
    whole = flags.review and inputs.has_corpus
    if model is None and system is None:
        scores = _written_scores(run.checked(files.EVALUATION), inputs.samples)
    run.begin(
        settings,
        {"audit": hashes},
        () if system is None else system.reads,
        lambda: _load(settings, inputs, model, cross_encoder, whole),
    )
    write_rejected(run, inputs.loaded)
    if system is not None:
        ranked = system.rank(inputs, corpus=whole)
        scores = system.candidate_scores(ranked, inputs.samples)
        scored = system.doubted(inputs.samples) if flags.review else None
    if model is not None:
        tell_text_lengths(model, inputs.samples)
        ranked = evaluate_shown("scoring", model, _lists(settings, model, inputs, whole), settings)
        scores = ranked.candidates.scores
    found = _audit(settings, run, inputs, scores, cross_encoder)
    if flags.review:
        known = Known(found, ranked, scores, cross_encoder, scored)
        review(settings, run, inputs, known, flags.review_pairs or PAIRS)
    run.done(settings, "audit", hashes)
    console.result(audit_table(found, settings.language), audit=with_meanings(found.summary()))
    console.say(f"written: {run / files.AUDIT}, {run / files.AUDIT_ROWS}")
    if flags.strict and found.strict_count:
        raise RunFailedError(
            f"--strict: {found.strict_count} findings in {run / files.AUDIT_ROWS}. Mine with "
            "--drop-false-negatives to train without the false ones"
        )


def _load(
    settings: Settings,
    inputs: Inputs,
    model: Encoder | None,
    cross_encoder: Reranker | None,
    whole: bool,
) -> Workload:
    """Count what the command computes, for a dry run."""
    samples = inputs.samples
    counts = {"questions": len(samples), "candidates": len(samples.candidates)}
    work: list[Work] = []
    if model is not None:
        lists = _lists(settings, model, inputs, whole)
        work += evaluation(Pace.measure(model, lists.tokens, settings.precision), lists, "model")
    work += cross_encoding(cross_encoder, samples, settings.precision)
    return Workload(counts, work)


def load_cross_encoder(settings: Settings) -> tuple[Reranker | None, dict[str, str]]:
    """Load the model of --cross-encoder, if one is named, and hash what it was loaded from."""
    name = settings.cross_encoder
    if name is None:
        return None, {}
    model = reranker(settings, name)
    return model, {"cross_encoder": reranker_hash(name)}


def audit_mined(
    settings: Settings,
    run: RunFolder,
    inputs: Inputs,
    evaluation: Evaluation,
    cross_encoder: Reranker | None,
) -> Mask:
    """Audit mined samples, report false negatives, and mark candidates to leave out of training.

    Returns:
        Bool (m,), True for each candidate to leave out; all False without --drop-false-negatives.
    """
    found = _audit(settings, run, inputs, evaluation.candidates.scores, cross_encoder)
    kinds = [
        f"{check['count']} {check['name']}"
        for check in found.summary()["checks"]
        if check["count"] and check["false_negative"]
    ]
    number = int(found.false_negatives.sum())
    if not number:
        return found.false_negatives
    if settings.drop_false_negatives:
        console.say(f"false negatives left out of training: {number} ({', '.join(kinds)})")
        return found.false_negatives
    console.warn(
        f"{number} negatives are probably false ({', '.join(kinds)}; see "
        f"{run / files.AUDIT_ROWS}). --drop-false-negatives leaves them out of training"
    )
    return np.zeros_like(found.false_negatives)


def audit_table(found: Audit, language: str) -> str:
    """Return the counts as plain text in aligned columns."""
    summary = with_meanings(found.summary())
    rows = [
        (check["name"], str(check["count"]), str(check["questions"]), check["meaning"][language])
        for check in summary["checks"]
    ]
    lines = [_TOTALS[language].format_map(summary), *aligned([_HEADERS[language], *rows], (0, -1))]
    if found.not_checked:
        lines.append(_NOT_CHECKED[language].format(names=", ".join(found.not_checked)))
    return "\n".join(lines)


def _audit(
    settings: Settings,
    run: RunFolder,
    inputs: Inputs,
    scores: Floats | None,
    cross_encoder: Reranker | None,
) -> Audit:
    """Audit samples and write the findings.

    Args:
        settings: the settings of the command.
        run: the folder that the findings are written to.
        inputs: the samples, with m candidates.
        scores: float32 (m,), the scores of the model that is to be trained; None if not known.
        cross_encoder: a cross-encoder that scores the candidates too, or None.
    """
    samples = inputs.samples
    cross_scores = None
    if cross_encoder is not None:
        cross_scores = _cross_scores(cross_encoder, samples, settings.precision)
        files.write_jsonl(run / files.CROSS_SCORES, _score_rows(samples, cross_scores))
    evidence = Evidence(
        negatives=inputs.known.get("negatives"),
        titles=None if inputs.dataset is None else inputs.dataset.chunk_titles,
        scores=scores,
        cross_scores=cross_scores,
        cross_margin=settings.cross_encoder_margin,
        threshold=settings.near_duplicate,
    )
    found = audit(samples, evidence)
    files.write_json(run / files.AUDIT, with_meanings(found.summary()))
    files.write_jsonl(run / files.AUDIT_ROWS, list(with_details(found.rows())))
    return found


def _lists(settings: Settings, model: Encoder, inputs: Inputs, whole: bool) -> RankingLists:
    """Return the lists that the model scores, with the whole corpus if that is asked for."""
    return ranking_lists(
        placed(model, settings),
        inputs.samples,
        inputs.annotations,
        similarity=settings.similarity,
        corpus=whole,
    )


def _written_scores(path: Path, samples: Samples) -> Floats | None:
    """Read the scores in `evaluation_results.json`.

    Return None if there is no such file, or if it is of other samples.
    """
    if not path.is_file():
        return None
    rows = {row["qa_id"]: row["similarities"] for row in files.read_json(path)}
    lengths = np.diff(samples.offsets).tolist()
    lists = [rows.get(qa_id, {}) for qa_id in samples.qa_ids]
    if [len(scores) for scores in lists] != lengths:
        console.say(f"{path} is of other samples: its scores are not used")
        return None
    flat = [scores[str(place)] for scores in lists for place in range(len(scores))]
    return np.asarray(flat, np.float32)


def _cross_scores(cross_encoder: Reranker, samples: Samples, precision: str) -> Floats:
    rows = np.repeat(np.arange(len(samples)), np.diff(samples.offsets))
    with console.bar("cross-encoder", "pair") as progress:
        return cross_encoder.score(
            samples.questions.take(rows),
            samples.contexts.take(np.asarray(samples.candidates)),
            precision=precision,
            progress=progress,
        )


def _score_rows(samples: Samples, scores: Floats) -> list[dict[str, object]]:
    """Return a row for each question with its candidates' scores; null for NaN and infinity."""
    parts = np.split(scores, np.asarray(samples.offsets)[1:-1])
    return [
        {
            "qa_id": qa_id,
            "scores": [round(x, DECIMALS) if np.isfinite(x) else None for x in part.tolist()],
        }
        for qa_id, part in zip(samples.qa_ids, parts, strict=True)
    ]
