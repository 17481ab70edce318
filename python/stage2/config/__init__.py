"""Every setting once, in groups; each room takes its own.

A setting's name, type, default and help stand in this folder and nowhere else. Flags,
`stage2.toml` and `settings.toml` are views of the groups' union.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import get_annotations
from typing import Any

from stage2.config.data import (
    DataConfig,
    InputConfig,
    OnError,
    RunConfig,
    SamplesConfig,
    SplitConfig,
)
from stage2.config.mining import (
    CandidatesConfig,
    FalseNegativesConfig,
    MiningRules,
    RankingConfig,
    Sampling,
    SearchConfig,
)
from stage2.config.model import EncodingConfig, MergeConfig, ModelConfig
from stage2.config.training import Freeze, OutputConfig, Pairs, Schedule, TrainingConfig, TrainOn
from stage2.utils.setting import Group

__all__ = [
    "GROUPS",
    "OWN",
    "SETTINGS",
    "CandidatesConfig",
    "DataConfig",
    "EncodingConfig",
    "FalseNegativesConfig",
    "Freeze",
    "InputConfig",
    "MergeConfig",
    "MiningConfig",
    "MiningRules",
    "ModelConfig",
    "OnError",
    "OutputConfig",
    "Pairs",
    "RankingConfig",
    "RunConfig",
    "SamplesConfig",
    "Sampling",
    "Schedule",
    "SearchConfig",
    "Settings",
    "SplitConfig",
    "TrainOn",
    "TrainingConfig",
    "default",
]


@dataclass(frozen=True)
class MiningConfig(
    RunConfig, CandidatesConfig, MiningRules, SearchConfig, RankingConfig, EncodingConfig
):
    """All that mining a corpus needs."""


# In the order in which settings are written.
GROUPS: tuple[type[Group], ...] = (
    RunConfig,
    DataConfig,
    CandidatesConfig,
    MiningRules,
    SearchConfig,
    SamplesConfig,
    ModelConfig,
    FalseNegativesConfig,
    RankingConfig,
    EncodingConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
    OutputConfig,
)

# The names of a group's own settings, without those of the groups that it takes in.
OWN: Mapping[type[Group], tuple[str, ...]] = {
    group: tuple(get_annotations(group)) for group in GROUPS
}


@dataclass(frozen=True)
class Settings(
    InputConfig,
    ModelConfig,
    FalseNegativesConfig,
    MiningConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
):
    """Everything that a command can be told. Names are those of the flags, `-` written as `_`."""

    # No setting itself: those that the user named by flags; the others are of a file, or defaults.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)


_FIELDS = {item.name: item for item in fields(Settings)}
SETTINGS: Mapping[str, Field[Any]] = {
    name: _FIELDS[name] for names in OWN.values() for name in names
}


def default(name: str) -> Any:
    """A setting's default."""
    value = SETTINGS[name].default
    if value is MISSING:
        raise KeyError(name)
    return value
