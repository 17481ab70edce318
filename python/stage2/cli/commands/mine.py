"""`stage2 mine` scores and ranks candidates, and writes the questions that the model gets wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.cli.commands.audit import audit_mined, load_cross_encoder
from stage2.cli.commands.prepare import write_constructed
from stage2.cli.dry_run import Workload
from stage2.cli.inputs import Inputs, gather, write_rejected
from stage2.cli.mining_defaults import for_listed_negatives
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.second_sources import second_source
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.stage1 import (
    Stage1,
    check_machine,
    keep_stage1,
    stage1_cache,
    stage1_when_needed,
)
from stage2.cli.systems import NamedSystem, named_system
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, cross_encoding, evaluation, fitting, load_of
from stage2.config import Settings
from stage2.data.dataset import Samples
from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.encoder import Encoder, LazyModel
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.ranking import TOPK
from stage2.mining.audit import with_negatives
from stage2.mining.corpus import CorpusMining, embed_texts, mine_corpus, rules_of
from stage2.mining.second_source import SecondSource, check_shares
from stage2.models.reranker import Reranker
from stage2.training.train import no_hard_examples
from stage2.utils import files
from stage2.utils.arrays import Ints, Mask
from stage2.utils.errors import BadInputError


@in_run_folder()
def mine(settings: Settings, run: RunFolder) -> None:
    """Construct samples if needed, score and rank candidates, and select the hard examples."""
    check_machine(settings)
    inputs = gather(settings)
    if inputs.lists_negatives:
        settings = for_listed_negatives(settings, "mine")
    check_mining(settings, inputs)
    if (system := named_system(settings)) is not None:
        _mine_by(system, settings, run, inputs)
        return
    first = stage1_when_needed(settings, run, inputs)
    model, settings = first.model, first.settings
    cross_encoder, cross_hashes = load_cross_encoder(settings)
    second, second_hashes = second_source(settings, inputs)
    hashes = {**first.hashes, **cross_hashes, **second_hashes}
    stages = stage_inputs(inputs, hashes, first.made)
    run.begin(settings, stages, work=lambda: _load(settings, run, first, inputs, cross_encoder))
    keep_stage1(run, first, stages["mine"])
    run.record["texts"] = tell_text_lengths(model, inputs.samples)
    cache = stage1_cache(settings, run)
    inputs, mined = candidates(settings, run, model, inputs, cache, second=second)
    lists = ranking_lists(model, inputs.samples, inputs.annotations, similarity=settings.similarity)

    def scored() -> Evaluation:
        return evaluate_shown("scoring", model, lists, settings, cache)

    _finish(settings, run, inputs, scored, mined, stages["mine"], cross_encoder)


def _mine_by(system: NamedSystem, settings: Settings, run: RunFolder, inputs: Inputs) -> None:
    """Mine by a system that is named in place of a model."""
    if settings.init or settings.backbone is not None:
        flag = "--init" if settings.init else "--backbone"
        raise BadInputError(
            f"{flag} makes a model, and another system mines; expected one of the two"
        )
    system.check(inputs)
    cross_encoder, cross_hashes = load_cross_encoder(settings)
    second, second_hashes = second_source(settings, inputs)
    hashes = {**system.hashes, **cross_hashes, **second_hashes}
    stages = stage_inputs(inputs, hashes, made=False)
    run.begin(settings, stages, system.reads, Workload)
    mined = system.mine(inputs, second) if settings.source == "corpus" else None
    inputs = inputs if mined is None else replace(inputs, samples=mined.samples)
    _finish(
        settings, run, inputs, lambda: system.rank(inputs, False), mined, stages["mine"],
        cross_encoder,
    )  # fmt: skip


def _finish(
    settings: Settings,
    run: RunFolder,
    inputs: Inputs,
    scored: Callable[[], Evaluation],
    mined: CorpusMining | None,
    hashes: Mapping[str, str],
    cross_encoder: Reranker | None,
) -> None:
    """Write the samples, their evaluation and audit, and the hard examples."""
    if inputs.dataset is not None:
        write_constructed(settings, run, inputs)
    else:
        write_rejected(run, inputs.loaded)
    evaluation = scored()
    dropped = audit_mined(settings, run, inputs, evaluation, cross_encoder)
    hard = write_mined(settings, run, inputs, hashes, evaluation, mined, dropped)
    if not len(hard):
        below = files.read_json(run / files.MINING_SUMMARY)["num_below_topk"]
        console.warn(no_hard_examples(settings.topk, below))


def _load(
    settings: Settings,
    run: RunFolder,
    first: Stage1,
    inputs: Inputs,
    cross_encoder: Reranker | None,
) -> Workload:
    """Count what the command computes, for a dry run."""
    whole = settings.source == "corpus"
    lists = ranking_lists(
        first.model, inputs.samples, inputs.annotations, similarity=settings.similarity,
        corpus=whole,
    )  # fmt: skip
    pace = Pace.measure(first.model, lists.tokens, settings.precision)
    cache = None if first.made else stage1_cache(settings, run)
    work = [
        *fitting(pace, settings, first.made),
        *evaluation(pace, lists, "model", cache),
        *cross_encoding(cross_encoder, inputs.samples, settings.precision),
    ]
    return load_of(lists, work, settings.model is None and not first.made)


def stage_inputs(
    inputs: Inputs, model_hashes: Mapping[str, str], made: bool
) -> dict[str, dict[str, str]]:
    """Return the inputs of each stage up to mining."""
    mined = {**inputs.hashes, **model_hashes}
    stages = {"mine": mined}
    if inputs.dataset is not None:
        stages["prepare"] = dict(inputs.hashes)
    if made:
        stages["init"] = mined
    return stages


def check_mining(settings: Settings, inputs: Inputs) -> None:
    """Refuse a top-k with which no question could be hard, and rules that allow no negative."""
    if settings.source == "corpus":
        if inputs.dataset is None:
            raise BadInputError(
                "--source corpus needs the corpus: --qa FILE and --chunks FILE, not --data"
            )
        rules_of(settings).check()
        check_shares(settings)
        candidates, more = inputs.dataset.num_chunks, "more --chunks"
        counts = np.diff(inputs.dataset.relevant_offsets)
        others = candidates - int(counts.min(initial=candidates))
        if settings.range_min >= others:
            raise BadInputError(
                f"--range-min is {settings.range_min}, but a question has at most {others} chunks "
                "that are no ground truth, ranked from 0: the window lies past the corpus. "
                f"Expected --range-min below {others}, or more --chunks"
            )
    else:
        lengths = np.diff(inputs.samples.offsets)
        candidates = int(lengths.min(initial=np.iinfo(np.int64).max))
        more = "more --negatives"
    if settings.topk > candidates:
        raise BadInputError(
            f"--topk is {settings.topk}, but a question has only {candidates} candidates, so that "
            f"its ground truth is always in the top {settings.topk}; expected at most "
            f"{candidates}, or {more}"
        )


def candidates(
    settings: Settings,
    run: RunFolder,
    model: Encoder | LazyModel,
    inputs: Inputs,
    cache: EmbeddingCache | None,
    sides: Sequence[Ints] = (),
    second: SecondSource | None = None,
) -> tuple[Inputs, CorpusMining | None]:
    """Return the inputs with the samples to rank, and the result of mining the corpus, if any.

    Without --source corpus the samples are as they were read or drawn. With it they have the
    negatives that were mined, those of the questions of each side among the chunks that it may
    know.
    """
    if settings.source == "candidates":
        return inputs, None
    if inputs.dataset is None:
        raise ValueError("there is no corpus to mine; see check_mining")
    dataset, annotations = inputs.dataset, inputs.annotations
    with console.bar("questions") as progress:
        questions = embed_texts(
            model, annotations, dataset.questions, "query", settings, None, progress, cache
        )
    with console.bar("corpus") as progress:
        chunks = embed_texts(
            model, annotations, dataset.chunk_texts, "document", settings, run.path, progress, cache
        )
    mined = mine_corpus(questions, chunks, dataset, settings, sides, second)
    return replace(inputs, samples=mined.samples), mined


def write_mined(
    settings: Settings,
    run: RunFolder,
    inputs: Inputs,
    hashes: Mapping[str, str],
    evaluation: Evaluation,
    mined: CorpusMining | None,
    dropped: Mask,
) -> Ints:
    """Write the evaluation, the hard examples and their summary; return the hard rows.

    Hard examples are written and counted without the candidates that `dropped` marks.
    """
    scored = evaluation.candidates
    hard = scored.hard(settings.topk) if mined is None else mined.hard(settings.topk)
    files.write_json(run / files.EVALUATION, evaluation.rows(list(inputs.samples.questions)))
    if mined is not None and mined.sources is not None:
        files.write_jsonl(run / files.NEGATIVE_SOURCES, list(mined.sources))
    # The count includes questions that have no negative to train on.
    ranks = scored.ranking.rank if mined is None else mined.ranks
    below = int((ranks > settings.topk).sum())
    hard = write_hard(run / files.HARD, inputs.samples, hard, dropped)
    metrics = scored.ranking.metrics(TOPK)
    summary: dict[str, Any] = {
        "num_samples": len(inputs.samples),
        "topk": settings.topk,
        "num_hard": len(hard),
        "num_below_topk": below,
        "hard_share": len(hard) / max(1, len(inputs.samples)),
        # Ranks among candidates that the model mined are its own choice.
        "metrics": metrics if mined is None else None,
        "pairs": scored.pairs(),
        "similarity": settings.similarity,
        "source": settings.source,
        "dropped_negatives": int(dropped.sum()),
    }
    if mined is not None:
        summary["corpus"] = mined.summary(settings.negatives)
    files.write_json(run / files.MINING_SUMMARY, summary)
    console.keep(mining=summary)
    facts = inputs.facts() | run.record.get("data", {})
    facts |= {"texts_encoded": len(evaluation.lists.tokens)}
    run.done(settings, "mine", hashes, data=facts)
    if mined is None:
        accuracy = ", ".join(
            f"Top-{k} {metrics[f'top{k}']:.1%} (chance {metrics['chance'][f'top{k}']:.1%})"
            for k in TOPK
        )
        console.say(f"before training, among the candidates: {accuracy}")
    else:
        if mined.sources is not None:
            console.say(_shares_told(mined.sources))
        _tell_corpus(summary["corpus"], settings)
    console.say(
        f"hard examples: {len(hard)} of {len(inputs.samples)} "
        f"(ground truth below the top {settings.topk}) in {run / files.HARD}"
        + (f"; {below - len(hard)} more have no negative" if below > len(hard) else "")
    )
    return hard


def _shares_told(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many negatives are of each source."""
    counts = Counter(source for row in rows for source in row["sources"])
    told = ", ".join(f"{count:,} of {source}" for source, count in sorted(counts.items()))
    return f"negatives by source: {told or 'none'} ({files.NEGATIVE_SOURCES})"


def _tell_corpus(summary: Mapping[str, Any], settings: Settings) -> None:
    accuracy = ", ".join(f"Top-{k} {summary[f'top{k}']:.1%}" for k in TOPK)
    console.say(f"before training, among all {summary['chunks']:,} chunks: {accuracy}")
    if summary["short_lists"]:
        console.warn(
            f"{summary['short_lists']} questions have fewer than {settings.negatives} negatives, "
            f"{summary['without_negatives']} of them none: the window of ranks and the filters "
            "leave too few. Widen --range-min to --range-max, or loosen the margins and scores"
        )


def write_hard(path: Path, samples: Samples, hard: Ints, dropped: Mask) -> Ints:
    """Write the hard examples without the candidates that `dropped` marks.

    Returns:
        The rows of the examples that were written: those that still have a negative.
    """
    offsets = np.asarray(samples.offsets)
    kept = hard[with_negatives(offsets, np.asarray(samples.num_relevant), dropped)[hard]]
    samples.write_jsonl(path, kept)
    if dropped.any():
        starts = offsets[kept] + np.asarray(samples.num_relevant)[kept]
        written = files.read_jsonl(path)
        for sample, start, end in zip(written, starts, offsets[kept + 1], strict=True):
            for name in ("negative_contexts", "negative_chunk_ids"):
                if name in sample:
                    pairs = zip(sample[name], dropped[start:end], strict=True)
                    sample[name] = [item for item, without in pairs if not without]
        files.write_jsonl(path, written)
    return kept
