"""The baselines that a command asks for, and the untouched backbone of its model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stage2.cli import console
from stage2.cli.inputs import Inputs
from stage2.cli.stage1 import embedding_cache, model_when_needed
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.evaluation.baselines import BASELINES, Backbone, Baseline
from stage2.models.hub import is_encoder, shown_name
from stage2.utils.errors import BadInputError

_FLAG = "untouched_backbone"


def ranks_corpus(settings: Settings, inputs: Inputs) -> bool:
    """Return whether questions are ranked against all chunks, not only their candidates."""
    asked = settings.corpus != "never" or settings.source == "corpus"
    return inputs.mined or (inputs.has_corpus and asked)


def sources_to_measure(settings: Settings, inputs: Inputs) -> tuple[str, ...]:
    """Return what questions are ranked against: their candidates, all chunks, or both."""
    mined = inputs.mined or (inputs.has_corpus and settings.source == "corpus")
    return ("corpus",) if mined else ("candidates", "corpus")


def untouched_backbone(settings: Settings, folder: Path | None, inputs: Inputs) -> Backbone | None:
    """Return the backbone that stands beside a model as a baseline, or None if none does.

    It is loaded here unless its vectors are in the cache, so that one that cannot be loaded is
    refused before anything is written. One that is not on this machine is told of.

    Args:
        settings: the settings of the command.
        folder: the folder of the encoder that the model was made from, or None; see
            `models.family.Family.backbone`.
        inputs: the inputs of the command.

    Raises:
        BadInputError: the backbone cannot be loaded, or the flag has no effect.
    """
    check_backbone_flag(settings, folder)
    if folder is None or not settings.untouched_backbone or not ranks_corpus(settings, inputs):
        return None
    if not is_encoder(folder):
        console.say(
            f"the encoder that the model was made from is not here with its weights ({folder}): it "
            "is no baseline, and the verdict is against the model as it was given"
        )
        return None
    # The limit, the entities and the encoder of the model's weights are not those of the backbone.
    own = replace(
        settings, model=None, backbone=None, max_length=None, similarity="sentence",
        given=frozenset(),
    )  # fmt: skip
    try:
        model = model_when_needed(own, str(folder))
    except BadInputError as error:
        raise BadInputError(
            f"{error} (this is the encoder that the model was made from; to do without its row in "
            "the table: --no-untouched-backbone)"
        ) from error
    return Backbone(
        shown_name(folder), model, settings.precision, embedding_cache(own, folder),
        Path(settings.output_dir), settings.budget,
    )  # fmt: skip


def check_backbone_flag(settings: Settings, folder: Path | None) -> None:
    """Refuse the flag of the baseline if the model was made from no backbone.

    Raises:
        BadInputError: the flag was given and has no effect.
    """
    if folder is None and _FLAG in settings.given:
        flag = "--untouched-backbone" if settings.untouched_backbone else "--no-untouched-backbone"
        raise BadInputError(
            f"{flag} has no effect here: it works with a ProbabilisticGBERTV4, which was made from "
            "another encoder"
        )


def ranked_baselines(
    settings: Settings, lists: RankingLists, backbone: Backbone | None
) -> dict[str, Baseline]:
    """Rank the corpus, if there is one, by each baseline that is asked for, with a bar."""
    found = {}
    for name, method in BASELINES.items():
        if not len(lists.corpus) or not getattr(settings, name):
            continue
        if method.needs_backbone and backbone is None:
            continue
        with console.bar(f"ranking by {name.replace('_', ' ')}", method.unit) as progress:
            found[name] = method.rank(lists, backbone, progress)
    return found
