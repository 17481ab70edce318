"""`stage2 merge` combines the weights of models into one model, or the scores of two models.

Weights are combined as θ₁ + α(θ₂ − θ₁) for two models, or as the mean of several (Wortsman et al.,
"Model soups", ICML 2022). The result costs no more than one model. Scores are combined as
(1 − α)·s₁ + α·s₂, or by reciprocal ranks as (1 − α)/(60 + r₁) + α/(60 + r₂) (Cormack et al., SIGIR
2009). Then both models run at every query, and they need not be of one kind. If α is not given, the
best α on the dev questions is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stage2.cli import console
from stage2.cli.baselines import ranked_baselines, sources_to_measure, untouched_backbone
from stage2.cli.commands.evaluate import (
    Models,
    check_regression,
    lists_of,
    write_comparison,
)
from stage2.cli.dry_run import Work, Workload
from stage2.cli.guards import guard_hashes, measured, read_guards, with_guards
from stage2.cli.inputs import Inputs, with_folder_files, write_rejected
from stage2.cli.mined_lists import tell_mined
from stage2.cli.run_folder import RunFolder, in_run_folder
from stage2.cli.shipped import write_model
from stage2.cli.shown_evaluation import evaluate_shown
from stage2.cli.split_sides import grouped_questions, sides_of
from stage2.cli.stage1 import (
    backbone_of,
    hashes_of_model,
    load_given,
    placed,
)
from stage2.cli.text_lengths import tell_text_lengths
from stage2.cli.workload import Pace, counts_of, evaluation, load_of, of_backbone
from stage2.config import Settings
from stage2.data.splits import Groups
from stage2.data.unseen import Unseen, unseen_side
from stage2.encoding.encoder import Encoder
from stage2.evaluation.baselines import Backbone
from stage2.evaluation.compare import QuestionSet
from stage2.evaluation.evaluate import Evaluation
from stage2.evaluation.fusion import FUSIONS, fused
from stage2.evaluation.ranking import Ranked, corpus_blocks
from stage2.report.terminal import table
from stage2.training.guard import Guard, Judgement
from stage2.training.interpolation import interpolate
from stage2.training.log import DEV_METRIC
from stage2.training.model_selection import judgements, mean_of
from stage2.training.train import evaluate_dev
from stage2.utils import files
from stage2.utils.device import resolve_device, resolve_precision
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import copy_of_weights

# α is chosen among these values. 0 and 1 are the two models themselves.
ALPHAS = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True)
class Questions:
    """The questions on which α is chosen and the merged model is measured."""

    inputs: Inputs
    grouped: Groups
    dev: Unseen
    test: Unseen


@in_run_folder(adds="merge")
def merge(settings: Settings, run: RunFolder, models: Sequence[str]) -> None:
    """Combine models and, if there are questions, measure the result."""
    resolve_precision(settings.precision, resolve_device(settings.device))
    _check(settings, models)
    run.watch(*models)
    if "train" in run.record.get("stages", {}):
        raise BadInputError(
            f"--output-dir {run.path} holds a trained model, whose place the merged one would "
            "take. Give another --output-dir"
        )
    settings, questions = _questions(settings, run)
    if settings.guard is not None and questions is None:
        raise BadInputError(
            f"--guard {settings.guard}: there are no questions to measure the merged model on, and "
            "a guard stands beside them; give --data FILE, or --qa FILE and --chunks FILE"
        )
    asked = questions.inputs.samples.questions if questions else ()
    guard_data = read_guards(settings, asked, chooses=_chooses_alpha(settings), models=models)
    loaded = [placed(load_given(settings, path), settings) for path in models]
    _check_together(loaded, models, settings.method)
    folder = backbone_of(settings, models[0])
    backbone = untouched_backbone(settings, folder, questions.inputs) if questions else None
    hashes = dict(questions.inputs.hashes) if questions else {}
    hashes |= guard_hashes(guard_data)
    for number, path in enumerate(models, 1):
        hashes |= hashes_of_model(settings, path, f"model_{number}")
    run.begin(
        settings, {"merge": hashes}, models,
        lambda: with_guards(
            lambda: _load(settings, loaded, models, questions, backbone),
            guard_data, loaded[0], settings,
        ),
    )  # fmt: skip
    if questions:
        write_rejected(run, questions.inputs.loaded)
        run.record["texts"] = tell_text_lengths(loaded[0], questions.inputs.samples, models[0])

    if questions and questions.inputs.mined:
        tell_mined(settings.data, len(questions.inputs.samples.contexts))
    before = [_evaluate(model, questions.inputs, settings, name)
              for model, name in zip(loaded, models, strict=True)
              if questions and (model is loaded[0] or settings.method in FUSIONS)]  # fmt: skip
    guards = measured(guard_data, loaded[0], settings)
    if questions and settings.method in FUSIONS:
        facts, after = _fuse(before[0], before[1], questions, settings)
    else:
        facts = _merge_weights(loaded, before, questions, settings, guards.choosing())
        write_model(run, loaded[0])
        console.say(f"merged model: {run / files.SHIPPED_MODEL}")
        after = {}
        if questions:
            merged = _evaluate(loaded[0], questions.inputs, settings, "merged")
            after = merged.by_source(sources_to_measure(settings, questions.inputs))
    files.write_json(run / files.MERGE, {"method": settings.method, "models": [*models], **facts})
    console.keep(merge={"method": settings.method, **facts})
    if facts["alpha"] is not None:
        console.say(f"alpha {facts['alpha']:g}" + _why(facts["dev"]))
    if questions:
        comparison = _compare(settings, run, questions, before[0], after, backbone)
        if elsewhere := guards.verdicts(loaded[0]):
            comparison["guards"] = elsewhere
        comparison |= {"models": [models[0], f"{settings.method} of {', '.join(models)}"]}
        files.write_json(run / files.COMPARISON, comparison)
    run.done(settings, "merge", hashes)
    if questions:
        console.result(table(comparison, settings.language), comparison=comparison)
        check_regression(comparison, settings)


def _load(
    settings: Settings,
    models: Sequence[Encoder],
    names: Sequence[str],
    questions: Questions | None,
    backbone: Backbone | None,
) -> Workload:
    """Count what the command computes, for a dry run."""
    if questions is None:
        return Workload()
    fuses = settings.method in FUSIONS
    work: list[Work] = []
    for model, name in zip(models, names, strict=True):
        if fuses or model is models[0]:
            lists = lists_of(settings, model, questions.inputs)
            pace = Pace.measure(model, lists.tokens, settings.precision)
            work += evaluation(pace, lists, name)
    if not fuses:
        work += evaluation(pace, lists, "the merged model")
    if _chooses_alpha(settings):
        dev = lists.subset(questions.dev.rows)
        counts = (len(ALPHAS) * count for count in counts_of(dev))
        work.append(pace.embed("texts to embed to choose alpha", *counts))
    return load_of(lists, [*work, *of_backbone(pace, lists, backbone)])


def _fuse(
    first: Evaluation, second: Evaluation, questions: Questions, settings: Settings
) -> tuple[dict[str, Any], dict[str, Ranked]]:
    """Choose α unless it is given, and rank by the fused scores."""

    def candidates(alpha: float) -> Ranked:
        return fused(first.candidates, second.candidates, alpha, settings.method)

    def corpus(alpha: float) -> Ranked:
        sides = (corpus_blocks(one.lists, one.embeddings) for one in (first, second))
        blocks = [
            fused(ours, theirs, alpha, settings.method).ranked()
            for ours, theirs in zip(*sides, strict=True)
        ]
        return Ranked.concat(blocks)

    ranked = {"candidates": candidates, "corpus": corpus}
    sources = list(first.by_source(sources_to_measure(settings, questions.inputs)))
    # The last source decides: the whole corpus if it was ranked, else the candidates.
    facts = chosen_alpha(
        settings,
        lambda alpha: float(
            ranked[sources[-1]](alpha)
            .without(questions.dev.aside)
            .metrics(questions.dev.rows)[DEV_METRIC]
        ),
    )
    return facts, {source: ranked[source](facts["alpha"]) for source in sources}


def _merge_weights(
    models: Sequence[Encoder],
    before: Sequence[Evaluation],
    questions: Questions | None,
    settings: Settings,
    guards: Sequence[Guard],
) -> dict[str, Any]:
    """Load the merged weights into the first model, and return α and the values tried on dev."""
    states = [copy_of_weights(model) for model in models]
    if settings.method == "soup":
        models[0].load_state_dict(mean_of(states))
        return {"alpha": None, "dev": []}

    def mixed(alpha: float) -> Encoder:
        models[0].load_state_dict(interpolate(states[0], states[1], alpha))
        return models[0]

    dev = [
        evaluation.lists.setting_aside(questions.dev.aside).subset(questions.dev.rows)
        for evaluation in before
        if questions
    ]
    facts = chosen_alpha(
        settings,
        lambda alpha: float(evaluate_dev(mixed(alpha), dev[0], settings)[DEV_METRIC]),
        lambda alpha: judgements(mixed(alpha), guards, settings),
    )
    mixed(facts["alpha"])
    return facts


def _chooses_alpha(settings: Settings) -> bool:
    """Return whether the weights of two models are mixed by an α that dev questions choose."""
    return settings.method == "interpolate" and settings.alpha is None


def chosen_alpha(
    settings: Settings,
    dev_value: Callable[[float], float],
    judge: Callable[[float], Sequence[Judgement]] = lambda _: (),
) -> dict[str, Any]:
    """Return the given α, or the best α on dev that no guard calls worse, and the values tried.

    If values are equally good, the smallest is chosen: it changes the first model the least. At
    an α of 0 it is that model, which no guard judges.
    """
    if settings.alpha is not None:
        return {"alpha": settings.alpha, "dev": []}
    tried: list[dict[str, Any]] = [
        {"alpha": alpha, DEV_METRIC: dev_value(alpha)} for alpha in ALPHAS
    ]
    for entry in sorted(tried, key=lambda entry: (-round(entry[DEV_METRIC], 9), entry["alpha"])):
        found = judge(entry["alpha"]) if entry["alpha"] else ()
        if found:
            entry["guards"] = [asdict(judgement) for judgement in found]
        if not any(judgement.is_worse for judgement in found):
            return {"alpha": entry["alpha"], "dev": tried}
    raise AssertionError("an alpha of 0 is never passed over")


def _why(tried: Sequence[Mapping[str, Any]]) -> str:
    """Say how α was chosen, from the values that were tried on dev."""
    if not tried:
        return ""
    judged = any("guards" in entry for entry in tried)
    return ", the best on dev" + (" that no guard calls worse" if judged else "")


def _compare(
    settings: Settings,
    run: RunFolder,
    questions: Questions,
    before: Evaluation,
    after: Mapping[str, Ranked],
    backbone: Backbone | None,
) -> dict[str, Any]:
    """Compare the first model with the merged one. It is not known what they were trained on."""
    sets = [
        QuestionSet(name, one.rows, held_out=False, aside=one.aside, left_out=one.facts())
        for name, one in (("test", questions.test), ("dev", questions.dev))
        if len(one.rows) and settings.split == "chunk"
    ]
    everyone = np.arange(len(questions.inputs.samples))
    sets.append(QuestionSet("all", everyone, held_out=False))
    width = None if settings.method in FUSIONS else before.embeddings.mu.shape[1]
    ranked = before.by_source(sources_to_measure(settings, questions.inputs))
    comparison = write_comparison(
        run, questions.inputs, questions.grouped, Models(ranked, after, width), sets, settings,
        ranked_baselines(settings, before.lists, backbone),
    )  # fmt: skip
    return comparison | {"trained_on_known": False}


def _questions(settings: Settings, run: RunFolder) -> tuple[Settings, Questions | None]:
    """Read the questions that are named, or those that the folder holds.

    Returns:
        The settings for these questions, and the questions; None in place of the questions if there
        are none and none are needed.

    Raises:
        BadInputError: there are no questions, but the method needs them.
    """
    named = settings.data or settings.qa or settings.chunks
    if not named and not (run / files.CONSTRUCTED).is_file():
        fusion = settings.method in FUSIONS
        if fusion or _chooses_alpha(settings):
            raise BadInputError(
                "no questions to choose alpha on and to measure on; give --data FILE, or "
                "--qa FILE and --chunks FILE" + ("" if fusion else ", or --alpha X")
            )
        return settings, None
    settings, inputs = with_folder_files(settings, run)
    grouped = grouped_questions(inputs.samples)
    placed = sides_of(settings, grouped, inputs.sides, inputs.seen_chunks)
    dev, test = unseen_side(placed, "dev").or_all, unseen_side(placed, "test")
    return settings, Questions(inputs, placed.groups, dev, test)


def _evaluate(model: Encoder, inputs: Inputs, settings: Settings, name: str) -> Evaluation:
    lists = lists_of(settings, model, inputs)
    folder = Path(settings.output_dir)
    return evaluate_shown(f"evaluating {name}", model, lists, settings, None, folder)


def _check(settings: Settings, models: Sequence[str]) -> None:
    """Refuse a number of models, or an --alpha, that does not go with the method."""
    if settings.method == "soup":
        if len(models) < 2:
            raise BadInputError(f"{len(models)} models; expected --model twice or more for a soup")
        if settings.alpha is not None:
            raise BadInputError("--alpha weighs two models; a soup is the plain mean of them all")
    elif len(models) != 2:
        raise BadInputError(
            f"{len(models)} models; --method {settings.method} expects --model twice. "
            "For more models: --method soup"
        )


def _check_together(models: Sequence[Encoder], names: Sequence[str], method: str) -> None:
    """Refuse models whose weights cannot be mixed, or whose scores cannot be added."""
    if method not in FUSIONS:
        _check_alike(models, names)
    elif method == "sum":
        _check_one_unit(models, names)


def _check_one_unit(models: Sequence[Encoder], names: Sequence[str]) -> None:
    """Refuse to add the scores of models that compare by a distance and by something else."""
    first, second = (model.similarity for model in models)
    if first != second and any(model.distance for model in models):
        raise BadInputError(
            f"--method sum: {names[0]} compares by {first}, {names[1]} by {second}, and the scores "
            "have no common unit; expected --method reciprocal-rank, which adds by rank"
        )


def _word_weights(model: Encoder) -> dict[str, list[Any]]:
    buffers = model.named_buffers()
    return {name: found.tolist() for name, found in buffers if name.endswith("word_weights")}


def _check_alike(models: Sequence[Encoder], names: Sequence[str]) -> None:
    """Refuse to mix the weights of models that differ in a name, a shape or what is not trained."""
    first = {name: tensor.shape for name, tensor in models[0].state_dict().items()}
    vocabulary = models[0].tokenizer.get_vocab()
    for model, path in zip(models[1:], names[1:], strict=True):
        other = {name: tensor.shape for name, tensor in model.state_dict().items()}
        differing = sorted(n for n in first.keys() | other.keys() if first.get(n) != other.get(n))
        others = {
            "the vocabulary": (model.tokenizer.get_vocab(), vocabulary),
            "what vectors are compared by": (model.similarity, models[0].similarity),
            "the weights of words": (_word_weights(model), _word_weights(models[0])),
        }
        differing += [what for what, (one, two) in others.items() if one != two]
        if differing:
            what = differing[0]
            raise BadInputError(
                f"{path} and {names[0]} differ in {what}: only models of one kind can share "
                "weights. To use both at every query: --method sum or reciprocal-rank"
            )
