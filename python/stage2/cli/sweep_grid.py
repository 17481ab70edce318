"""The trials of a sweep: all of a grid, some drawn from it, or those of a preset."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stage2.call import Call
from stage2.cli.mining_defaults import FILTERS
from stage2.config import OWN, SETTINGS, SamplesConfig, Settings, SplitConfig
from stage2.config_file import nearest
from stage2.presets import REFERENCE, RUN_DEFAULTS
from stage2.usage import STAGES, why_unused
from stage2.utils.errors import BadInputError
from stage2.variants import LOSSES

Grid = Mapping[str, Sequence[Any]]

# With another seed or split, other questions choose. Such trials cannot be compared. The margin of
# a guard is stated before anything is looked at.
_FIXED = {
    *OWN[SplitConfig], *OWN[SamplesConfig], "seed", "corpus", "on_error", "refit", "guard_margin",
}  # fmt: skip
SWEPT = tuple(
    dict.fromkeys(
        name
        for stage in ("prepare", "mine", "train")
        for name in STAGES[stage]
        if name not in _FIXED
    )
)

# The next steps of the reference's authors, one at a time. The full grid has 243 trials, of which a
# ninth are impossible. A top-k of 10 needs more than 10 candidates, so more negatives are set.
_REFERENCE_STEPS: Sequence[Mapping[str, Any]] = (
    {},
    {"epochs": 10},
    {"epochs": 20},
    {"learning_rate": 5e-5},
    {"learning_rate": 1e-4},
    {"margin": 0.05},
    {"margin": 0.2},
    {"negatives": 10},
    {"negatives": 20},
    {"topk": 5},
    {"topk": 10, "negatives": 20},
)

# The trials start from hard examples and the reference's loss. Each changes one setting to another
# of its choices. The last trial has the defaults of `stage2 run`.
_STRATEGIES_BASE: Mapping[str, Any] = {"train_on": "hard", "loss": "margin"}
_STRATEGIES = ("source", "pairs", "train_on", "loss")
_REPLAY = 0.5

# A grid of what decides most, for a search within a budget. Mined negatives are positive-aware: one
# that scores above 95% of the ground truth's score is left out (Moreira et al., "NV-Retriever:
# Improving text embedding models with effective hard-negative mining", 2024, TopK-PercPos).
_RECIPES_BASE: Mapping[str, Any] = {"train_on": "all", "relative_margin": 0.05}
_NEGATIVES: Sequence[Mapping[str, Any]] = (
    {"loss": "in-batch"},
    {"loss": "infonce", "source": "corpus", "negatives": 1},
    {"loss": "infonce", "source": "corpus", "negatives": 3},
)
_RECIPES: Mapping[str, Sequence[Any]] = {
    "learning_rate": (1e-5, 3e-5, 1e-4),
    "temperature": (0.02, 0.05),
    "batches": ("random", "similar"),
    "epochs": (2, 4),
}

PRESETS = ("reference", "strategies", "recipes")

_MAX_NAME = 120
# --grid writes these values otherwise than Python does.
_WRITTEN = {"None": "none", "True": "true", "False": "false"}


@dataclass(frozen=True)
class Trial:
    """A run of the sweep.

    Attributes:
        changes: the settings that distinguish it from the other trials.
        settings: all settings of the run.
    """

    changes: Mapping[str, Any]
    settings: Settings

    @property
    def name(self) -> str:
        """The name of the trial's folder. In every sweep, equal changes give the same name."""
        name = ",".join(f"{key}={value}" for key, value in self.changes.items()) or "base"
        if len(name) <= _MAX_NAME:
            return name
        return f"{name[:_MAX_NAME]}…{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def parse_grid(given: Sequence[str]) -> dict[str, list[Any]]:
    """Parse each `key=v1,v2` of --grid into values of the key's type, all of a key in one list.

    Raises:
        BadInputError: a text does not have this form, or its key is no option of mining or
            training.
    """
    grid: dict[str, list[Any]] = {}
    for text in given:
        key, sign, values = text.partition("=")
        name = key.strip().removeprefix("--").replace("-", "_")
        if not sign or not values:
            raise BadInputError(f"--grid is {text!r}; expected key=v1,v2, as in margin=0.05,0.1")
        if name not in SWEPT:
            why = "is the same for all trials" if name in _FIXED else "is not swept"
            raise BadInputError(f"--grid {key}: {why}; {nearest(name, SWEPT)}")
        found = [_value(name, value.strip()) for value in values.split(",")]
        grid[name] = list(dict.fromkeys([*grid.get(name, []), *found]))
    return grid


def grid_flags(grid: Mapping[str, Iterable[Any]]) -> tuple[str, ...]:
    """Return a grid from Python as the texts of --grid.

    Raises:
        BadInputError: the values of a key are no list, or one has a comma in its text.
    """
    found = []
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise BadInputError(f"the grid has {name}: {values!r:.80}; expected a list of values")
        texts = [_WRITTEN.get(str(value), str(value)) for value in values]
        if wrong := [text for text in texts if "," in text]:
            raise BadInputError(f"the grid has {name}: {wrong[0]!r:.80}; expected no comma in it")
        found.append(f"{name}={','.join(texts)}")
    return tuple(found)


def trials(base: Settings, grid: Grid, draws: int | None, preset: str | None) -> list[Trial]:
    """List the trials of a preset, of every combination of a grid, or of some drawn from it.

    Args:
        base: the settings that all trials share.
        grid: the values of each key.
        draws: the number of combinations to draw without replacement, by the seed; None means
            all. Presets but `recipes` are no grids to draw from.
        preset: a name in `PRESETS`, in place of a grid.

    Raises:
        BadInputError: there is nothing to try, both or neither of grid and preset were given,
            there is no grid to draw from, or a value is out of its setting's range.
    """
    if (preset is None) == (not grid):
        raise BadInputError("expected --grid key=v1,v2, or --preset, and not both")
    if draws is not None and preset not in (None, "recipes"):
        raise BadInputError(
            f"--random has no effect here: it works with --grid or --preset recipes, not with "
            f"--preset {preset}"
        )
    if preset == "recipes":
        base = replace(base, **_RECIPES_BASE)
        return _drawn([Trial(one, replace(base, **one)) for one in _recipes()], draws, base.seed)
    if preset is not None:
        # The reference trains a ProbabilisticGBERTV4, which is made if no model is given.
        reference = {**REFERENCE, "init": base.model is None, "relative_margin": None}
        # These are beside its recipe, and a user may state others.
        for name in base.stated & {"source", "interpolation", "relative_margin"}:
            del reference[name]
        base = replace(base, **(_STRATEGIES_BASE if preset == "strategies" else reference))
        steps = _strategies(base) if preset == "strategies" else _REFERENCE_STEPS
        return [_trial(base, step) for step in steps]
    combinations = [
        _trial(base, changes)
        for values in itertools.product(*grid.values())
        for changes in [dict(zip(grid, values, strict=True))]
    ]
    return _drawn(combinations, draws, base.seed)


def _trial(base: Settings, changes: Mapping[str, Any]) -> Trial:
    """Make a trial. One that names a source or a rule of scores has no margin by default."""
    named = base.stated | changes.keys()
    if named & {"source", *FILTERS} and "relative_margin" not in named:
        base = replace(base, relative_margin=None)
    return Trial(changes, replace(base, **changes))


def _drawn(combinations: list[Trial], draws: int | None, seed: int) -> list[Trial]:
    if draws is None or draws >= len(combinations):
        return combinations
    import numpy as np  # imported here, so that `stage2 prepare` starts without it

    generator = np.random.default_rng(seed)
    rows = sorted(generator.choice(len(combinations), draws, replace=False).tolist())
    return [combinations[row] for row in rows]


def _recipes() -> list[dict[str, Any]]:
    values = itertools.product(_NEGATIVES, *_RECIPES.values())
    return [{**first, **dict(zip(_RECIPES, rest, strict=True))} for first, *rest in values]


def calls_of_sweep(settings: Settings, name: str, extra: Mapping[str, Any]) -> list[Call]:
    """Return a call for each trial of a sweep; see `command.command`."""
    grid = parse_grid(extra["grid"])
    wanted = trials(settings, grid, extra["draws"], extra["preset"])
    calls = [Call(trial.settings, name) for trial in wanted]
    check_grid(grid, calls)
    return calls


def check_grid(grid: Grid, calls: Sequence[Call]) -> None:
    """Refuse a key of the grid that no trial uses: all its values would give the same trial.

    Args:
        grid: the values of each key.
        calls: the calls of the trials.

    Raises:
        BadInputError: there is such a key; the message says with which settings it would count.
    """
    for name in grid:
        if why := why_unused(name, calls):
            raise BadInputError(f"--grid {name} has no effect here: {why}")


def is_possible(settings: Settings) -> bool:
    """Return whether a question can be hard and there is something to train.

    `topk` must not be above the number of candidates; if it is equal, nothing is hard, which
    mining says. With --lora the encoder must not be frozen.
    """
    can_be_hard = settings.source == "corpus" or settings.topk <= settings.negatives + 1
    return can_be_hard and (settings.lora is None or settings.freeze != "backbone")


def _strategies(base: Settings) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{}]
    for name in _STRATEGIES:
        if name in SETTINGS:
            choices = SETTINGS[name].metadata["choices"]
            steps += [
                {name: choice}
                for choice in choices
                if choice != getattr(base, name)
                # There is no teacher with vectors, for stage 1 has nothing to teach itself by them.
                and (name != "loss" or LOSSES[choice].teacher != "vectors")
            ]
    steps.append({"replay": 0.0 if base.replay else _REPLAY})
    return [*steps, dict(RUN_DEFAULTS)]


def _value(name: str, text: str) -> Any:
    item = SETTINGS[name]
    kind = item.metadata["kind"]
    if text == "none" and item.default is None:
        return None
    try:
        return {"true": True, "false": False}[text] if kind is bool else kind(text)
    except (KeyError, ValueError) as error:
        expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise BadInputError(f"--grid {name}: {text!r} is not {expected}") from error
