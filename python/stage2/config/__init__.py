"""All settings, in groups. Each package takes the groups that it needs.

The name, type, default and help of a setting stand in this folder and nowhere else. The flags,
`stage2.toml` and `settings.toml` are made from the union of the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from inspect import get_annotations
from typing import Any

from stage2.config.data import (
    AnnotationConfig,
    CheckConfig,
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
    MiningConfig,
    MiningRules,
    RankingConfig,
    Sampling,
    SearchConfig,
)
from stage2.config.model import EncodingConfig, MergeConfig, ModelConfig
from stage2.config.systems import SystemConfig
from stage2.config.training import (
    Freeze,
    OutputConfig,
    Pairs,
    Schedule,
    Train,
    TrainingConfig,
    TrainOn,
)
from stage2.utils.setting import Group

__all__ = [
    "GROUPS",
    "OWN",
    "SETTINGS",
    "AnnotationConfig",
    "CandidatesConfig",
    "CheckConfig",
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
    "SystemConfig",
    "Train",
    "TrainOn",
    "TrainingConfig",
    "default",
]


# The groups are in the order in which settings are written.
GROUPS: tuple[type[Group], ...] = (
    RunConfig,
    DataConfig,
    CandidatesConfig,
    MiningRules,
    SearchConfig,
    SamplesConfig,
    ModelConfig,
    SystemConfig,
    FalseNegativesConfig,
    RankingConfig,
    EncodingConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
    OutputConfig,
    AnnotationConfig,
    CheckConfig,
)

# The names of each group's own settings, without those that it inherits from other groups.
OWN: Mapping[type[Group], tuple[str, ...]] = {
    group: tuple(get_annotations(group)) for group in GROUPS
}


@dataclass(frozen=True)
class Settings(
    InputConfig,
    ModelConfig,
    SystemConfig,
    FalseNegativesConfig,
    TrainingConfig,
    SplitConfig,
    MergeConfig,
    AnnotationConfig,
    CheckConfig,
):
    """All settings of all commands. Their names are those of the flags, with `_` for `-`."""

    # This is not a setting. It names the settings that the user gave by flags. The others come from
    # a file or are defaults.
    given: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    # Nor is this: it names those of flags, of a file and of a preset. The others are defaults.
    stated: frozenset[str] = field(default=frozenset(), repr=False, compare=False)


_FIELDS = {item.name: item for item in fields(Settings)}
SETTINGS: Mapping[str, Field[Any]] = {
    name: _FIELDS[name] for names in OWN.values() for name in names
}


def default(name: str) -> Any:
    """Return the default of a setting."""
    value = SETTINGS[name].default
    if value is MISSING:
        raise KeyError(name)
    return value
