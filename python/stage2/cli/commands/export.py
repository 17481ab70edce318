"""`stage2 export` writes a model, or what a run found, in the format of another tool."""

from __future__ import annotations

from pathlib import Path

from stage2.cli import console, dry_run
from stage2.cli.dry_run import Plan, Workload
from stage2.cli.export_options import Options, check_run
from stage2.cli.exports import WRITERS
from stage2.cli.exports.held_out import held_out
from stage2.cli.finished_run import FinishedRun
from stage2.cli.run_folder import RunFolder
from stage2.cli.stage1 import load_given
from stage2.config import Settings
from stage2.encoding.encoder import Encoder
from stage2.models.deviation import Deviation
from stage2.models.export import check_packages, check_target
from stage2.models.export import export as write_model
from stage2.models.hub import shown_name
from stage2.models.model_path import model_in
from stage2.models.push import push
from stage2.report import numbers
from stage2.report.export_card import export_card
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.files import replaced_folder
from stage2.utils.row_files import check_kind
from stage2.variants import EXPORTS

# The settings of a model, which nothing else has.
_OF_A_MODEL = ("model", "backbone", "max_length")


def export(settings: Settings, options: Options, run: str | None) -> None:
    """Write a folder, whole or not at all. What a model is written as is run and compared.

    Args:
        settings: the settings of the command.
        options: the format, and its flags.
        run: the folder of a run, for what is of a run.

    Raises:
        BadInputError: what is to be written is not named, is not there, or is not of this kind.
    """
    options.check()
    of = EXPORTS[options.to].of
    if of == "model" and run is not None:
        raise BadInputError(
            f"{run}: --to {options.to} writes a model; give --model {run} in place of it"
        )
    if of == "model" and settings.model is None:
        raise BadInputError("nothing to export: give --model DIR")
    if of != "model" and run is None:
        raise BadInputError(
            f"--to {options.to} writes the {of} of a run; give its folder: stage2 export RUN "
            f"--to {options.to} --output-dir DIR"
        )
    if "output_dir" not in settings.given:
        raise BadInputError("where to? Give --output-dir DIR, a folder that is not there yet")
    if run is None:
        _model(settings, options)
    else:
        _of_run(settings, options, run)


def _model(settings: Settings, options: Options) -> None:
    assert settings.model is not None
    to, folder, found = options.to, settings.output_dir, model_in(settings.model)
    check_packages(to)
    model = load_given(settings, settings.model)
    check_target(folder)
    dry_run.plan(lambda: Plan({"--model": str(found)}, Workload(), folder))
    if EXPORTS[to].bounds is None:
        write_model(model, to, folder)
        console.keep_place(files.written(folder), [])
        console.say(f"{found} as {to}: {folder}, which gives the same vectors")
    else:
        _with_loss(settings, model, to, found)
    if options.push_to_hub is not None:
        place = push(Path(folder), options.push_to_hub)
        console.say(f"sent to the hub: {place}")


def _with_loss(settings: Settings, model: Encoder, to: str, source: Path) -> None:
    """Write a model in a form that loses something, and say how much."""
    folder = settings.output_dir
    questions = held_out(settings, source)

    def card(lost: Deviation) -> str:
        return export_card(to, shown_name(source), lost)

    lost = write_model(model, to, folder, questions, card)
    assert lost is not None
    console.keep_place(files.written(folder), [])
    before, after = map(numbers.decimal, lost.mrr)
    console.say(
        f"{source} as {to}: {folder}. Run on {lost.name}: values differ by up to "
        f"{lost.difference:.1e}, Spearman {numbers.decimal(lost.spearman)}, the same first "
        f"document for {numbers.percent(lost.same_first)}, MRR {before} → {after}"
    )


def _of_run(settings: Settings, options: Options, path: str) -> None:
    for name in _OF_A_MODEL:
        if name in settings.given:
            flag = f"--{name.replace('_', '-')} {getattr(settings, name)}"
            able = " or ".join(to for to, one in EXPORTS.items() if one.of == "model")
            raise BadInputError(f"{flag} has no effect here: it works with --to {able}")
    check_run(path)
    check_kind(options.file_kind)
    folder = settings.output_dir
    check_target(folder)
    of = EXPORTS[options.to].of
    with RunFolder(path, adds="report") as locked:
        run = FinishedRun(locked, settings)
        dry_run.plan(lambda: Plan({"RUN": path}, Workload(), folder))
        with replaced_folder(folder) as temporary:
            WRITERS[of](run, options, Path(temporary))
    console.keep_place(files.written(folder), [])
    console.say(f"the {of} of {path} as {options.to}: {folder}")
