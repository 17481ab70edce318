"""The commands as functions of Python: the same settings, the same files, the same refusals."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stage2.cli import console, refusals
from stage2.cli import main as _main  # noqa: F401 - its commands join the program
from stage2.cli.command import Resolved, SettingsCommand, program
from stage2.cli.program import check_present
from stage2.config import SETTINGS, Settings, default
from stage2.config_file import nearest, read_toml
from stage2.data.in_memory import as_files
from stage2.result import Result
from stage2.utils.errors import BadInputError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from stage2.keywords import Keywords
    from stage2.keywords import Path as AnyPath

OnStep = Callable[[str, int, int], object]
OnEpoch = Callable[[dict[str, Any]], object]


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

    session = _session(verbose, progress, on_step, on_epoch)
    return _call("run", work, session, keywords, settings, preset, config)


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

    return _call("mine", work, _session(verbose, progress), keywords, settings, None, config)


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

    session = _session(verbose, progress, on_step, on_epoch)
    return _call("train", work, session, keywords, settings, None, config)


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
    session = _session(verbose, progress)
    return _call("evaluate", work, session, keywords, settings, None, config, extra)


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

    return _call("check", work, _session(verbose, progress), keywords, settings, None, config)


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

    session = _session(verbose, progress)
    return _call("audit", work, session, keywords, settings, None, config, extra)


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
        keywords: `data` or `qa` and `chunks`, which are paths, and how they are read.

    Returns:
        How many labels were changed and how many judgements changed none, by name.

    Raises:
        BadInputError: as in `run`.
    """
    from stage2.cli.commands.relabel import Flags, relabel_command

    if agree < 1:
        raise BadInputError(f"agree is {agree}; expected a whole number of at least 1")
    command = _command("relabel")
    given = _given(command, keywords)
    if not isinstance(given.get("data", ""), str):
        raise BadInputError("data is in memory; expected the path of the data that were judged")
    paths = [judgements] if isinstance(judgements, (str, os.PathLike)) else judgements
    flags = Flags(
        tuple(os.fspath(path) for path in paths), os.fspath(output), to, agree, tuple(who)
    )
    session = _session(verbose, False)
    session.command = "relabel"
    with console.session(session), console.library_messages():
        found = command.resolve_given(given, {}, None, {}, "")
        check_present(found.settings, command.names)
        return dict(relabel_command(found.settings, flags))


def _session(
    verbose: bool,
    progress: bool,
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
) -> console.Session:
    session = console.Session() if verbose else console.quiet()
    session.progress, session.on_step, session.on_epoch = progress, on_step, on_epoch
    return session


def _call(
    name: str,
    work: Callable[[Resolved], None],
    session: console.Session,
    keywords: Mapping[str, Any],
    base: Settings | None,
    preset: str | None,
    config: AnyPath | None,
    extra: Mapping[str, Any] | None = None,
) -> Result:
    """Resolve the settings of a command, do its work, and read the result from its folder."""
    command = _command(name)
    given = _given(command, keywords)
    written, source = _written(base, preset, config)
    if preset is not None and preset not in command.presets:
        raise BadInputError(f"preset is {preset!r}; expected {' or '.join(command.presets)}")
    folder = given.get("output_dir") or written.get("output_dir", default("output_dir"))
    session.command = name
    with console.session(session), console.library_messages(), _on_disk(given, folder) as given:
        found = command.resolve_given(given, dict(extra or {}), preset, written, source)
        check_present(found.settings, command.names)
        work(found)
    return Result.read(folder)


def _command(name: str) -> SettingsCommand:
    command = program.commands[name]
    if not isinstance(command, SettingsCommand):
        raise TypeError(f"{name} is no command with settings")
    return command


def _given(command: SettingsCommand, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a call, with paths as text."""
    for name in keywords.keys() - {*command.names}:
        raise TypeError(
            f"stage2.{command.name}() has no keyword {name!r}; {nearest(name, command.names)}"
        )
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in keywords.items()
    } | _named_loss(keywords.get("loss"))


def _named_loss(loss: Any) -> dict[str, str]:
    """Return the name of a loss that is given as a function; nothing if none is."""
    if not callable(loss):
        return {}
    from stage2.training.own_loss import add_loss

    return {"loss": add_loss(getattr(loss, "__name__", repr(loss)), loss)}


def _written(
    base: Settings | None, preset: str | None, config: AnyPath | None
) -> tuple[dict[str, Any], str]:
    """Return the settings that stand in `base` or in a file, and what it is."""
    if base is None:
        return ({}, "") if config is None else (read_toml(config), f"file {os.fspath(config)}")
    if preset is not None or config is not None:
        raise BadInputError("settings holds all settings; expected it without preset and config")
    return {name: getattr(base, name) for name in SETTINGS}, "settings"


@contextmanager
def _on_disk(given: Mapping[str, Any], folder: str) -> Iterator[dict[str, Any]]:
    """Yield the settings of a call, with the paths of files where `data` is in memory."""
    data = given.get("data")
    if data is None or isinstance(data, str):
        yield dict(given)
        return
    others = {name: value for name, value in given.items() if name != "data"}
    with ExitStack() as stack:
        try:
            named = stack.enter_context(as_files(data, Path(folder)))
        except OSError as error:
            raise refusals.impossible(Path(folder), error) from error
        if twice := sorted(named.keys() & {n for n, value in others.items() if value is not None}):
            raise BadInputError(
                f"{' and '.join(twice)} and data are given; a data set in memory says both"
            )
        yield {**others, **named}
