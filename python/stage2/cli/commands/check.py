"""`stage2 check` says whether to train at all, and writes only its own page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np

from stage2._core import __version__
from stage2.cli import console
from stage2.cli.commands.evaluate import ModelSystem, lists_of
from stage2.cli.dry_run import Workload
from stage2.cli.inputs import Inputs, check_corpus, gather, write_rejected
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.split_sides import grouped_questions
from stage2.cli.stage1 import check_machine, embedding_cache
from stage2.cli.systems import System, named_system
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, evaluation, load_of
from stage2.config import Settings
from stage2.data.contents import SIDES
from stage2.data.doubtful_labels import Ranks, doubtful_labels
from stage2.data.splits import Groups, Placed
from stage2.encoding.truncation import reader_of
from stage2.evaluation import headroom
from stage2.evaluation.bm25 import tokens_of
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.past_limit import past_limit
from stage2.evaluation.power import Design, power
from stage2.evaluation.prompts import prompt_effect
from stage2.evaluation.ranking import Ranked
from stage2.models.hub import default_model
from stage2.report.check_page import as_html, as_markdown, as_text
from stage2.report.check_rules import advice
from stage2.training.cross_validation import FEW_QUESTIONS
from stage2.utils import files
from stage2.utils.arrays import Ints
from stage2.utils.errors import BadInputError

# So many contexts that come first are searched for answers.
_FIRST = 10
# The search for near-duplicates finds no smaller overlap.
_LEAST_OVERLAP = 0.5
# A training is expected to close at most this part of what is left to gain: a gain above it need
# not be shown before it is worth to begin.
_PART = 0.25


@in_run_folder(adds="check")
def check(settings: Settings, run: RunFolder) -> None:
    """Look at the data and the model, and write the page."""
    check_machine(settings)
    _check_settings(settings)
    system = _system(settings)
    inputs = gather(settings)
    check_corpus(inputs, settings, "check")
    system.check(inputs)
    hashes = {**inputs.hashes, **system.hashes_of("model")}
    # --model is among the settings, and named by itself.
    reads = () if isinstance(system, ModelSystem) else system.reads
    run.begin(settings, {"check": hashes}, reads, lambda: _load(settings, inputs, system))
    write_rejected(run, inputs.loaded)
    facts = _facts(settings, inputs, system)
    facts["advice"] = advice(facts)
    files.write_json(run / files.CHECK_JSON, facts)
    files.write_text(run / files.CHECK, as_markdown(facts, settings.language))
    files.write_text(run / files.CHECK_PAGE, as_html(facts, settings.language))
    run.done(settings, "check", hashes)
    console.result(as_text(facts, settings.language), check=facts)
    console.say(f"written: {run / files.CHECK_PAGE}, {run / files.CHECK}, {run / files.CHECK_JSON}")


def _check_settings(settings: Settings) -> None:
    if settings.near_duplicate < _LEAST_OVERLAP:
        raise BadInputError(
            f"--near-duplicate {settings.near_duplicate:g}: stage2 check looks for near-duplicates "
            f"in the whole corpus, by sketches; expected {_LEAST_OVERLAP:g} or more"
        )
    if not settings.test_share:
        raise BadInputError(
            "--test-share 0 leaves no question to measure on; expected more than 0, such as 0.3"
        )


def _system(settings: Settings) -> System:
    """Return what is measured: the system that is named, or a model."""
    named = named_system(settings)
    if named is not None:
        return named
    path = settings.model
    if path is None:
        path = str(default_model())
        console.say(f"no --model given: taking all-MiniLM-L6-v2 as it is ({path})")
    return ModelSystem.named(settings, path)


def _load(settings: Settings, inputs: Inputs, system: System) -> Workload:
    """Count what the command computes, for a dry run. What others have computed takes no time."""
    if not isinstance(system, ModelSystem):
        return Workload({"questions": len(inputs.samples), "chunks": len(inputs.samples.contexts)})
    lists = lists_of(settings, system.model, inputs)
    pace = Pace.measure(system.model, lists.tokens, settings.precision)
    work = evaluation(pace, lists, system.name, embedding_cache(settings, system.path))
    work.append(pace.search("questions to rank by BM25 and fusion", len(lists), len(lists.corpus)))
    return load_of(lists, work, default=settings.model is None)


def _facts(settings: Settings, inputs: Inputs, system: System) -> dict[str, Any]:
    """Measure everything, and return the content of `check.json` without its advice."""
    samples = inputs.samples
    texts: dict[str, Any] = {}
    if isinstance(system, ModelSystem):
        texts = tell_text_lengths(system.model, samples)
    found = system.rank(inputs, True)
    if found.corpus is None:
        raise ValueError("a data set with a corpus was ranked without it")
    scorer = system.scorer(found, samples)
    with console.bar("ranking by BM25 and fusion", "question") as progress:
        beside = headroom.rank_beside(found.lists, scorer, _FIRST, progress)
    grouped = grouped_questions(samples)
    rankings = {"model": found.corpus, "bm25": beside.bm25, "fusion": beside.fusion}
    ranks = Ranks(
        found.corpus.lengths, found.corpus.ranking.rank, beside.bm25.ranking.rank, beside.first
    )
    left = headroom.headroom(found.corpus, settings.topk)
    past = None
    if isinstance(system, ModelSystem) and texts["chunks"]["lost"]:
        past = past_limit(
            reader_of(system.model), samples, found.corpus.ranking.reciprocal_rank,
            grouped.numbers, settings.seed,
        )  # fmt: skip
    sides = _rows_of_sides(inputs)
    return {
        "version": __version__,
        "seed": settings.seed,
        "model": system.name,
        "questions": len(samples),
        "chunks": len(samples.contexts),
        "rankings": {name: headroom.metrics(one) for name, one in rankings.items()},
        "headroom": left,
        "texts": texts,
        "past_limit": past,
        "prompts": _prompts(settings, inputs, system, found, grouped.numbers),
        "labels": doubtful_labels(samples, ranks, settings.near_duplicate, tokens_of).summary(),
        "sides": None if sides is None else _leaks(grouped, sides),
        "power": _power(settings, found.corpus, grouped, sides, left["possible_gain"]),
    }


def _prompts(
    settings: Settings, inputs: Inputs, system: System, found: Evaluation, groups: Ints
) -> dict[str, Any] | None:
    """Compare the ranks with prompts and without; None if the system has none."""
    readings = system.read_otherwise(inputs, found)
    return None if readings is None else prompt_effect(readings, groups, settings.seed)


def _rows_of_sides(inputs: Inputs) -> dict[str, Ints] | None:
    """Return the rows of the questions of each side that is given; None if none is."""
    if inputs.sides is None:
        return None
    row_of = {qa_id: row for row, qa_id in enumerate(inputs.samples.qa_ids)}
    return {
        side: np.asarray(sorted(row_of[qa_id] for qa_id in inputs.sides.get(side, ())), np.int64)
        for side in SIDES
    }


def _leaks(grouped: Groups, sides: Mapping[str, Ints]) -> dict[str, Any]:
    """Count the questions of dev and test that ask for what the sides before them ask for."""
    names = list(SIDES)
    parts = [sides[name] for name in names]
    placed = Placed(parts, grouped, [], 0.0, given=True)
    links, found = grouped.links, {}
    for place, seen in enumerate(accumulate(parts[:-1], lambda a, b: np.concatenate([a, b])), 1):
        asked = parts[place]
        if not len(asked) or not len(seen) or links is None:
            continue
        leaked = placed.leaked(seen, asked)
        worded = {links.wording[row] for row in seen.tolist()}
        alike = sum(links.wording[row] in worded for row in asked.tolist())
        most = max(leaked["same_chunk"] + leaked["near_duplicate"], alike)
        found[names[place]] = {
            "questions": len(asked), **leaked, "same_wording": alike, "share": most / len(asked),
        }  # fmt: skip
    return found


def _power(
    settings: Settings,
    ranked: Ranked,
    grouped: Groups,
    sides: Mapping[str, Ints] | None,
    possible: float,
) -> dict[str, Any]:
    """Find how small a gain the held-out questions can show."""
    count, held_out = len(ranked.lengths), None if sides is None else sides["test"]
    if held_out is not None and not len(held_out):
        held_out = None
    # Few questions are cross-validated, so that all of them measure.
    all_measure = count < FEW_QUESTIONS and "test_share" not in settings.given
    share = 1.0 if all_measure else settings.test_share
    if held_out is not None:
        share = len(held_out) / count
    design = Design(
        reciprocal_ranks=ranked.ranking.reciprocal_rank,
        reach=headroom.chances(ranked, settings.topk)["reach"],
        groups=grouped.numbers,
        share=share,
        held_out=held_out,
    )

    def total_of(asked: int) -> float:
        if held_out is not None:
            return asked / share
        if all_measure and asked < FEW_QUESTIONS:
            return asked
        return max(FEW_QUESTIONS if all_measure else 0, asked / settings.test_share)

    target = max(settings.gain, _PART * possible)
    return power(design, settings.gain, target, total_of, settings.seed)
