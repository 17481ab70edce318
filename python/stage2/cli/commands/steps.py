"""The steps that several commands take, each from what is in memory to what is on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from stage2.cli.commands.audit import write_hard
from stage2.cli.inputs import Inputs
from stage2.cli.run_folder import RunFolder
from stage2.cli.stage1 import (
    embedding_cache,
)
from stage2.config import Settings
from stage2.data.balance import TOLERANCE
from stage2.data.dataset import Samples
from stage2.data.splits import Groups, Placed, split
from stage2.encoding.cache import EmbeddingCache, folder_of
from stage2.encoding.encoder import LazyModel, loaded
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.evaluation.evaluate import (
    Evaluation,
    QuestionSet,
    compare,
    per_question,
)
from stage2.evaluation.ranking import TOPK, Ranked
from stage2.mining.audit import Mask
from stage2.mining.corpus import CorpusMining, mine_corpus, rules_of
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.training.dev_corpus import Dev
from stage2.training.learnable import epoch_warnings
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.model_selection import choose_on_dev, shipped
from stage2.training.parameters import check_rank, check_trainable
from stage2.training.state import State, find_state
from stage2.training.tensorboard import check_follower
from stage2.training.train import Trained, no_hard_examples, train
from stage2.utils import console, files
from stage2.utils.arrays import Ints
from stage2.utils.device import describe, resolve_device, resolve_precision
from stage2.utils.errors import BadInputError

# The words for each rule of the split.
RULES = {
    "group": "no group crosses",
    "cut": "groups cut at {cut} shared chunks",
    "question": "by question, since groups had to be cut at all of their {cut} shared chunks",
}


def check_machine(settings: Settings) -> None:
    """Refuse a device, precision or cache folder that cannot be; say what the model runs on."""
    device = resolve_device(settings.device)
    precision = resolve_precision(settings.precision, device)
    folder_of(settings.embedding_cache)
    console.say(f"the model runs on {device} in {describe(precision)}")


def ground_truths(samples: Samples, rows: Ints) -> Iterator[list[str]]:
    """The texts that answer each of some questions."""
    offsets, candidates = np.asarray(samples.offsets), np.asarray(samples.candidates)
    counts = np.asarray(samples.num_relevant)
    for row in rows:
        relevant = candidates[offsets[row] : offsets[row] + counts[row]]
        yield samples.contexts.take(relevant)


def check_training(
    run: RunFolder, hashes: Mapping[str, str], model: ProbabilisticGBERTV4 | LazyModel
) -> State | None:
    """Refuse what training could not do; the state to go on from, if there is one."""
    check_trainable(run.settings)
    if run.settings.lora is not None:
        check_rank(loaded(model), run.settings.lora)
    check_follower(run.settings)
    settings = replace(run.settings, overwrite=run.overwrites)
    return find_state(settings, run.path, run.made_from("train", hashes))


def stage_inputs(
    inputs: Inputs, model_hashes: Mapping[str, str], made: bool
) -> dict[str, dict[str, str]]:
    """What each stage up to mining is made from."""
    mined = {**inputs.hashes, **model_hashes}
    stages = {"mine": mined}
    if inputs.dataset is not None:
        stages["prepare"] = dict(inputs.hashes)
    if made:
        stages["init"] = mined
    return stages


def keep_stage1(
    run: RunFolder,
    model: ProbabilisticGBERTV4 | LazyModel,
    inputs: Inputs,
    model_hashes: Mapping[str, str],
    made: bool,
) -> None:
    """Write a stage-1 model that was made on the way."""
    if made:
        loaded(model).save(run / files.STAGE1_MODEL)
        run.done("init", {**inputs.hashes, **model_hashes})


def stage1_cache(run: RunFolder) -> EmbeddingCache | None:
    """The cache of the stage-1 model, given or kept in the folder."""
    return embedding_cache(run.settings, run.settings.model or run / files.STAGE1_MODEL)


def check_mining(settings: Settings, inputs: Inputs) -> None:
    """Refuse a top-k at which no question could be hard, and rules that choose no negative."""
    if settings.source == "corpus":
        if inputs.dataset is None:
            raise BadInputError(
                "--source corpus needs the corpus: --qa FILE and --chunks FILE, not --data"
            )
        rules_of(settings).check()
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
    run: RunFolder,
    model: ProbabilisticGBERTV4 | LazyModel,
    inputs: Inputs,
    cache: EmbeddingCache | None,
) -> tuple[Inputs, CorpusMining | None]:
    """The samples to rank: as they were read or drawn, or with negatives mined from the corpus."""
    if run.settings.source == "candidates":
        return inputs, None
    if inputs.dataset is None:
        raise ValueError("there is no corpus to mine; see check_mining")
    mined = mine_corpus(model, inputs.dataset, inputs.annotations, run.settings, run.path, cache)
    return replace(inputs, samples=mined.samples), mined


def lists_of(
    settings: Settings, model: ProbabilisticGBERTV4 | LazyModel, inputs: Inputs
) -> RankingLists:
    """Everything that evaluation needs, the whole corpus among it where that is asked for."""
    return ranking_lists(
        model,
        inputs.samples,
        inputs.annotations,
        similarity=settings.similarity,
        corpus=_over_corpus(settings, inputs),
    )


def _over_corpus(settings: Settings, inputs: Inputs) -> bool:
    """Whether questions are ranked against every chunk, and not only their candidates."""
    return inputs.has_corpus and (settings.corpus != "never" or settings.source == "corpus")


def write_mined(
    run: RunFolder,
    inputs: Inputs,
    model_hashes: Mapping[str, str],
    evaluation: Evaluation,
    mined: CorpusMining | None,
    dropped: Mask,
) -> Ints:
    """Write the evaluation, the hard examples and their summary; return the hard rows.

    Hard examples are written, and counted, without the candidates of `dropped`.
    """
    settings, scored = run.settings, evaluation.candidates
    hard = scored.hard(settings.topk) if mined is None else mined.hard(settings.topk)
    files.write_json(run / files.EVALUATION, evaluation.rows(list(inputs.samples.questions)))
    # Some of these may have no negative to train on.
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
        "metrics": metrics,
        "pairs": scored.pairs(),
        "similarity": settings.similarity,
        "source": settings.source,
        "dropped_negatives": int(dropped.sum()),
    }
    if mined is not None:
        summary["corpus"] = mined.summary(settings.negatives)
    files.write_json(run / files.MINING_SUMMARY, summary)
    facts = inputs.facts() | run.record.get("data", {})
    facts |= {"texts_encoded": len(evaluation.lists.tokens)}
    run.done("mine", {**inputs.hashes, **model_hashes}, data=facts)
    accuracy = ", ".join(
        f"Top-{k} {metrics[f'top{k}']:.1%} (chance {metrics['chance'][f'top{k}']:.1%})"
        for k in TOPK
    )
    console.say(f"before training, among the candidates: {accuracy}")
    if mined is not None:
        _tell_corpus(summary["corpus"], settings)
    console.say(
        f"hard examples: {len(hard)} of {len(inputs.samples)} "
        f"(ground truth below the top {settings.topk}) in {run / files.HARD}"
        + (f"; {below - len(hard)} more have no negative" if below > len(hard) else "")
    )
    if not len(hard):
        console.warn(no_hard_examples(settings.topk, below))
    return hard


def _tell_corpus(summary: Mapping[str, Any], settings: Settings) -> None:
    accuracy = ", ".join(f"Top-{k} {summary[f'top{k}']:.1%}" for k in TOPK)
    console.say(f"among all {summary['chunks']:,} chunks: {accuracy}")
    if summary["short_lists"]:
        console.warn(
            f"{summary['short_lists']} questions have fewer than {settings.negatives} negatives, "
            f"{summary['without_negatives']} of them none: the window of ranks and the filters "
            "leave too few. Widen --range-min to --range-max, or loosen the margins and scores"
        )


def fit(
    run: RunFolder,
    model: ProbabilisticGBERTV4,
    lists: RankingLists,
    dev: Dev,
    hashes: Mapping[str, str],
    held_out: bool,
    state: State | None = None,
) -> Trained:
    """Train, ship the best candidate, and say which it is and why."""
    settings = run.settings
    if state is not None:
        console.say(f"going on with a training that was interrupted: {state.position}")
    console.say(f"training: {len(lists)} questions, {settings.epochs} epochs; "
                f"{_choosing(dev)} choose among the epochs")  # fmt: skip
    before = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    with console.steps() as progress:
        trained = train(
            model,
            lists,
            dev.lists,
            settings,
            run.path,
            progress,
            dev.stage1,
            run.made_from("train", hashes),
            state,
            partial(_tell_epoch, settings),
        )
    checkpoints = run / files.CHECKPOINTS
    candidates = choose_on_dev(model, before, trained, dev, settings, checkpoints)
    for candidate in candidates:
        if candidate.kind == "interpolation":
            console.say(f"{candidate.name}: dev MRR {candidate.dev_value:.4f}")
    model.save_pretrained(run / files.SHIPPED_MODEL)
    facts = shipped(candidates, held_out, dev, trained.remarks)
    run.done("train", hashes, shipped=facts, dev=dev.facts())
    # Nothing is left to go on with.
    (checkpoints / files.TRAINING_STATE).unlink(missing_ok=True)
    if trained.remarks:
        console.warn(trained.remarks["en"])
    best, seen = candidates[0], "" if held_out else " (on questions that training saw)"
    console.say(f"shipped: {best.name}, dev MRR {best.dev_value:.4f}{seen}: "
                f"{run / files.SHIPPED_MODEL}, "
                f"{checkpoints / files.BEST_CHECKPOINT}")  # fmt: skip
    return trained


def _choosing(dev: Dev) -> str:
    """The questions that choose, and what they are ranked among where that is not all."""
    if dev.whole is None:
        return f"{len(dev.lists)} questions"
    part = f"{len(dev.lists.corpus):,} of the {dev.chunks:,} chunks"
    return f"{len(dev.lists)} questions, ranked among {part},"


def _tell_epoch(settings: Settings, entry: EpochLog) -> None:
    loss = "" if entry.loss is None else f"loss {entry.loss:.4f}, "
    console.say_above(f"epoch {entry.epoch}: {loss}dev MRR {entry.dev[DEV_METRIC]:.4f}")
    for warning in epoch_warnings(entry, settings):
        console.say_above(f"warning: {warning}")


def write_comparison(
    run: RunFolder,
    inputs: Inputs,
    grouped: Groups,
    before: Mapping[str, Ranked],
    after: Mapping[str, Ranked],
    sets: Sequence[QuestionSet],
) -> dict[str, Any]:
    """Write every question's ranks; return the content of `comparison.json`."""
    samples = inputs.samples
    comparison = compare(before, after, sets, grouped.numbers, run.settings.seed)
    source = comparison["verdict"]["source"]
    rows = per_question(before, after, samples.qa_ids, samples.questions, sets, source)
    files.write_jsonl(run / files.PER_QUESTION, rows)
    return comparison


def sides_of(settings: Settings, grouped: Groups) -> Placed:
    """Train, dev and test; without a split the first two are everyone."""
    if settings.split == "chunk":
        return split(grouped, settings.dev_share, settings.test_share, settings.seed)
    everyone = np.arange(len(grouped.names))
    return Placed([everyone, everyone, everyone[:0]], grouped, (1.0, 1.0, 0.0), 0.0)


def tell_split(run: RunFolder, placed: Placed, folds: Placed | None) -> dict[str, Any]:
    """Say what was kept together and what was not; return that for `run.json`."""
    facts, settings = placed.groups.facts(), run.settings
    console.say(
        f"questions: {len(placed.groups.names)} in {facts['groups']} groups; "
        f"{facts['questions_sharing_a_chunk']} share a ground-truth chunk with another, and "
        f"{facts['near_duplicate_pairs']} ground-truth chunks nearly repeat another"
    )
    sizes = map(len, placed.parts)
    told: dict[str, Any] = {
        "by": settings.split,
        **dict(zip(("train", "dev", "test"), sizes, strict=True)),
        "overlaps": facts,
    }
    if settings.split == "chunk":
        train, dev, test = placed.parts
        told |= placed.facts()
        told["leaked"] = {
            name: placed.leaked(train, rows) for name, rows in (("dev", dev), ("test", test))
        }
        _tell_placed("split", placed, _sum(told["leaked"].values()))
    if folds is not None:
        leaked = _sum(
            folds.leaked(np.setdiff1d(np.arange(len(folds.groups.names)), rows), rows)
            for rows in folds.parts
        )
        told["folds"] = {
            **folds.facts(), "sizes": [len(rows) for rows in folds.parts], "leaked": leaked
        }  # fmt: skip
        _tell_placed("folds", folds, leaked)
    return told


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter({"same_chunk": 0, "near_duplicate": 0})
    for count in counts:
        total.update(count)
    return dict(total)


def _tell_placed(what: str, placed: Placed, leaked: Mapping[str, int]) -> None:
    sizes = " + ".join(str(len(rows)) for rows in placed.parts)
    rule = RULES[placed.groups.rule].format(cut=placed.groups.cut)
    console.say(f"{what}: {sizes} questions, {rule}")
    if placed.groups.cut:
        console.warn(
            f"{what}: groups of questions that share ground-truth chunks were too large to place, "
            f"and were cut at their {placed.groups.cut} most-shared chunks. "
            f"{leaked['same_chunk']} held-out questions have a ground-truth chunk that a question "
            f"on another side has too, {leaked['near_duplicate']} one that nearly repeats it"
        )
    if placed.error > TOLERANCE:
        asked = " + ".join(f"{share:.0%}" for share in placed.shares)
        console.warn(
            f"{what}: {asked} were asked for; no side comes nearer, since the largest of the "
            f"groups that stay together has {placed.facts()['largest_kept_together']} of "
            f"{len(placed.groups.names)} questions"
        )
