"""The defaults of mining that depend on the data: where there is a corpus, all of it is mined.

A model that finds the answer among five random chunks may still miss it in the corpus. The
questions that it gets wrong, and the chunks that it takes for their answers, are only found there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from stage2.call import Call
from stage2.cli import console
from stage2.conditions import MINES_CORPUS
from stage2.config import OWN, MiningRules, Settings
from stage2.usage import check_given

# Moreira et al., "NV-Retriever: Improving text embedding models with effective hard-negative
# mining", 2024, TopK-PercPos: a chunk that scores above 95% of the ground truth's score is left
# out, since it is probably an answer too.
RELATIVE_MARGIN = 0.05
FILTERS = {"absolute_margin", "relative_margin", "max_score", "min_score"}


def for_the_data(settings: Settings, command: str, names: Collection[str]) -> Settings:
    """Return the settings of a call with the source of negatives that its data allow.

    The user's data are mined over the whole corpus, with a margin unless a rule of scores is
    stated. What is stated stays, and so does the built-in sample, whose candidates are those of the
    reference experiment. A source that is stated has the rules that are stated, and no other.

    Args:
        settings: the settings of the call.
        command: the name of the command.
        names: the settings that the command has.
    """
    if "source" in settings.stated:
        return settings
    found = settings
    if "source" in names and _can_be_mined(settings, command):
        found = replace(found, source="corpus")
    mines = "relative_margin" in names and MINES_CORPUS.holds(Call(found, command))
    # A run has no score of what it did not find: a margin would leave such questions no negative.
    if mines and not settings.stated & FILTERS and settings.run is None:
        found = replace(found, relative_margin=RELATIVE_MARGIN)
    return found


def speaks_of_mining(names: Collection[str]) -> bool:
    """Return whether one of the settings says that the corpus is mined, or how."""
    return not {"source", "rounds", *OWN[MiningRules]}.isdisjoint(names)


def for_listed_negatives(settings: Settings, command: str) -> Settings:
    """Return the settings with the negatives that the data list, if nothing is said of mining.

    Args:
        settings: the settings of the call, by `for_the_data`.
        command: the name of the command.

    Raises:
        BadInputError: a flag of the call serves mining alone.
    """
    if settings.source != "corpus" or speaks_of_mining(settings.stated):
        return settings
    console.say("the data list negatives, which are the candidates; --source corpus mines others")
    found = replace(settings, source="candidates", relative_margin=None)
    check_given(settings.given, [Call(found, command)])
    return found


def _can_be_mined(settings: Settings, command: str) -> bool:
    """Return whether a call names data with a corpus, and may rank all of it."""
    named = settings.data is not None or settings.qa is not None
    return named and settings.corpus != "never" and Call(settings, command).has_corpus
