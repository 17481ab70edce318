"""The commands as functions of Python: the same settings, the same files, the same refusals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stage2.cli.command import Resolved
from stage2.cli.from_python import (
    OnEpoch,
    OnStep,
    call,
    command_of,
    quietly,
    session_of,
    settings_given,
    without_folder,
)
from stage2.config import Settings
from stage2.data.dataset import Dataset
from stage2.result import Result, SweepResult
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from stage2.keywords import Data, Keywords
    from stage2.keywords import Path as AnyPath


def run(
    *,
    settings: Settings | None = None,
    preset: str | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    **keywords: Unpack[Keywords],
) -> Result:
    """Do everything as `stage2 run` does: prepare, mine, train, evaluate on held-out questions.

    Args:
        settings: all settings; keywords override it, and nothing else has a say, the command's own
            defaults included.
        preset: the name of a preset, as --preset has it.
        config: a settings file, as --config has it.
        verbose: print messages on stderr and the table on stdout, as the command does.
        progress: show bars on a terminal and in a notebook.
        on_step: called after each update of the training with the name of the work, the updates
            done and all updates. An error that it raises ends the training.
        on_epoch: called with each row of the training log, the untrained model's first.
        keywords: settings, under the names of the flags with `_` for `-`. `data` may be in memory.

    Raises:
        BadInputError: bad usage or bad input; nothing has changed on disk.
        RunFailedError: the work failed on the way.
        RegressedError: the verdict is worse under `fail_if_regressed`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.run import run_command

        run_command(found.settings)

    session = session_of(verbose, progress, on_step, on_epoch)
    return Result.read(call("run", work, session, keywords, settings, preset, config))


def mine(
    *,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Result:
    """Score and rank the candidates, and select the hard examples, as `stage2 mine` does.

    The arguments and the errors are those of `run`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.mine import mine

        mine(found.settings)

    return Result.read(
        call("mine", work, session_of(verbose, progress), keywords, settings, None, config)
    )


def train(
    *,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    **keywords: Unpack[Keywords],
) -> Result:
    """Train on samples, or on the hard examples of the folder, as `stage2 train` does.

    The arguments and the errors are those of `run`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.train import train_command

        train_command(found.settings)

    session = session_of(verbose, progress, on_step, on_epoch)
    return Result.read(call("train", work, session, keywords, settings, None, config))


def evaluate(
    *models: AnyPath,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Result:
    """Measure a model or another system, or compare two, as `stage2 evaluate` does.

    Args:
        models: one model, or two for before and after; none where another system is named.
        settings: as in `run`.
        config: as in `run`.
        verbose: as in `run`.
        progress: as in `run`.
        keywords: as in `run`.

    Raises:
        BadInputError: as in `run`.
        RunFailedError: as in `run`.
        RegressedError: as in `run`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.evaluate import evaluate_command

        evaluate_command(found.settings, found.extra["models"])

    extra = {"models": tuple(os.fspath(model) for model in models)}
    session = session_of(verbose, progress)
    return Result.read(call("evaluate", work, session, keywords, settings, None, config, extra))


def check(
    *,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Result:
    """Say whether to train at all, as `stage2 check` does; `Result.check` has what was found.

    The arguments and the errors are those of `run`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.check import check

        check(found.settings)

    return Result.read(
        call("check", work, session_of(verbose, progress), keywords, settings, None, config)
    )


def audit(
    *,
    strict: bool = False,
    review: bool = False,
    review_pairs: int | None = None,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Result:
    """Say what is wrong with the negatives, and which labels are doubtful, as `stage2 audit` does.

    Args:
        strict: fail where anything but a hint is found.
        review: write the page on which people judge the most doubtful labels.
        review_pairs: so many pairs are on it; None means 500.
        settings: as in `run`.
        config: as in `run`.
        verbose: as in `run`.
        progress: as in `run`.
        keywords: as in `run`.

    Raises:
        BadInputError: as in `run`.
        RunFailedError: as in `run`; or something was found under `strict`.
    """
    extra = {"strict": strict, "review": review, "review_pairs": review_pairs}

    def work(found: Resolved) -> None:
        from stage2.cli.commands.audit import Flags, audit_command

        audit_command(found.settings, Flags(**found.extra))

    session = session_of(verbose, progress)
    return Result.read(call("audit", work, session, keywords, settings, None, config, extra))


def relabel(
    judgements: AnyPath | Sequence[AnyPath],
    output: AnyPath,
    *,
    to: str | None = None,
    agree: int = 1,
    who: Sequence[str] = (),
    verbose: bool = False,
    **keywords: Unpack[Keywords],
) -> dict[str, int]:
    """Bring judgements back into the labels of `data`, or of `qa` and `chunks`.

    It writes what `stage2 relabel` writes.

    Args:
        judgements: the file of judgements, or several.
        output: the file or folder to make.
        to: its format; None means that of its suffix, or that of the input.
        agree: change a label only where so many judges say the same.
        who: the names of the judges that count; all if it is empty.
        verbose: as in `run`.
        keywords: `data`, which may be in memory, or `qa` and `chunks`, and how they are read.

    Returns:
        How many labels were changed and how many judgements changed none, by name.

    Raises:
        BadInputError: as in `run`.
    """
    from stage2.cli.commands.relabel import Flags, relabel_command

    if agree < 1:
        raise BadInputError(f"agree is {agree}; expected a whole number of at least 1")
    given = settings_given(command_of("relabel"), keywords)
    paths = [judgements] if isinstance(judgements, (str, os.PathLike)) else judgements
    flags = Flags(
        tuple(os.fspath(path) for path in paths), os.fspath(output), to, agree, tuple(who)
    )
    with without_folder("relabel", given, verbose) as found:
        return dict(relabel_command(found.settings, flags))


def convert(
    data: Data,
    /,
    output: AnyPath,
    *,
    to: str | None = None,
    verbose: bool = False,
    **keywords: Unpack[Keywords],
) -> dict[str, int]:
    """Write a data set in another format, as `stage2 convert` does.

    Args:
        data: a path in any format of --data, or data in memory.
        output: the file or folder to make.
        to: its format; None means that of its suffix, or beir where it has none.
        verbose: as in `run`.
        keywords: how the data are read: `format`, `columns`, `title`, `on_error`.

    Returns:
        How much was left out because the format has no place for it, by what it is.

    Raises:
        BadInputError: as in `run`.
    """
    from stage2.cli.commands.convert import convert_command, write_converted
    from stage2.data.table_contents import tables_of

    given, target = settings_given(command_of("convert"), keywords), os.fspath(output)
    if isinstance(data, Dataset):
        if given:
            raise BadInputError(
                f"{' and '.join(given)}: says how files are read, and the data are in memory"
            )
        with quietly("convert", verbose):
            return dict(write_converted(tables_of(data), target, to, join_titles=False))
    path = os.fspath(data) if isinstance(data, os.PathLike) else data
    with without_folder("convert", {**given, "data": path}, verbose) as found:
        return dict(convert_command(found.settings, found.extra["in_path"], target, to))


def merge(
    *models: AnyPath,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Result:
    """Combine the weights of models into one, or the scores of two, as `stage2 merge` does.

    Args:
        models: stage 1 first, then the model that was trained; more for a soup.
        settings: as in `run`.
        config: as in `run`.
        verbose: as in `run`.
        progress: as in `run`.
        keywords: as in `run`.

    Raises:
        BadInputError: as in `run`.
        RunFailedError: as in `run`.
        RegressedError: as in `run`.
    """

    def work(found: Resolved) -> None:
        from stage2.cli.commands.merge import merge as merge_command

        merge_command(found.settings, found.extra["models"])

    extra = {"models": tuple(os.fspath(model) for model in models)}
    session = session_of(verbose, progress)
    return Result.read(call("merge", work, session, keywords, settings, None, config, extra))


def sweep(
    grid: str | Mapping[str, Iterable[Any]],
    *,
    random: int | None = None,
    jobs: int = 1,
    budget: float | None = None,
    settings: Settings | None = None,
    config: AnyPath | None = None,
    verbose: bool = False,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> SweepResult:
    """Try many settings, choose on dev, measure the winner once on test, as `stage2 sweep` does.

    Args:
        grid: the values to try of each setting of mining or training, `{"epochs": [2, 4]}`, of
            which every combination is tried; or the name of a preset, as --preset has it.
        random: try so many combinations of the grid, drawn by `seed`; None means all.
        jobs: so many trials at a time. More than one are processes that import the program's main
            module, which must guard its work by `if __name__ == "__main__"`.
        budget: search in so many minutes; None trains all trials on all questions.
        settings: as in `run`.
        config: as in `run`.
        verbose: as in `run`.
        progress: as in `run`.
        keywords: the settings that all trials share, as in `run`.

    Raises:
        BadInputError: as in `run`.
        RunFailedError: as in `run`; or every trial failed.
    """
    from stage2.cli.sweep_grid import PRESETS, grid_flags, parse_grid, trials
    from stage2.training.own_loss import loss_hashes

    for name, value in (("random", random), ("jobs", jobs)):
        if value is not None and value < 1:
            raise BadInputError(f"{name} is {value}; expected a whole number of at least 1")
    preset = grid if isinstance(grid, str) else None
    if preset not in (None, *PRESETS):
        raise BadInputError(
            f"the preset is {preset!r}; expected {', '.join(PRESETS[:-1])} or {PRESETS[-1]}"
        )
    flags = () if isinstance(grid, str) else grid_flags(grid)

    def work(found: Resolved) -> None:
        from stage2.cli.commands.sweep import sweep as sweep_command

        wanted = trials(found.settings, parse_grid(flags), random, preset)
        if jobs > 1 and any(loss_hashes(trial.settings.loss) for trial in wanted):
            raise BadInputError(
                f"jobs is {jobs}: a loss of your own is known in this process alone; expected 1"
            )
        sweep_command(found.settings, wanted, jobs, budget)

    extra = {"grid": flags, "draws": random, "preset": preset}
    session = session_of(verbose, progress)
    return SweepResult.read(call("sweep", work, session, keywords, settings, None, config, extra))
