"""The command line. It parses, calls and prints, and has no algorithm."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import click

from stage2.call import Call
from stage2.cli import console
from stage2.cli.export_options import DEPTH, QUESTIONS, Options
from stage2.cli.options import Decorator, flags_of, option
from stage2.cli.program import Program, check_present
from stage2.cli.sweep_grid import PRESETS, check_grid, parse_grid, trials
from stage2.config import SETTINGS, Settings
from stage2.config_file import read_toml
from stage2.models.model_path import found_model
from stage2.presets import RUN_DEFAULTS, RUN_PRESETS
from stage2.usage import check_given, unused
from stage2.utils import files
from stage2.variants import EXPORTS, exports_of


def one_call(settings: Settings, name: str, extra: Mapping[str, Any]) -> list[Call]:
    """Return the single call of a command that does one thing with its settings."""
    return [Call(settings, name, tuple(extra.get("models", ())))]


def calls_of_sweep(settings: Settings, name: str, extra: Mapping[str, Any]) -> list[Call]:
    """Return a call for each trial of a sweep."""
    grid = parse_grid(extra["grid"])
    wanted = trials(settings, grid, extra["draws"], extra["preset"])
    calls = [Call(trial.settings, name) for trial in wanted]
    check_grid(grid, calls)
    return calls


def command(
    *stages: str,
    example: str,
    also: Sequence[str] = (),
    without: Sequence[str] = (),
    more: Sequence[Decorator] = (),
    presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    calls_of: Callable[[Settings, str, Mapping[str, Any]], list[Call]] = one_call,
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command from a function of `Settings`, with a flag for each setting that it uses.

    A preset overrides the command's own defaults, a settings file overrides the preset, and a flag
    overrides both. A flag is refused if it has no effect on any call that `calls_of` returns.

    Args:
        stages: the stages that the command does. The settings that they use become its flags.
        example: an example of a call, for the help text.
        also: further settings that become flags.
        without: settings that get no flag, although the stages use them.
        more: flags that are not settings.
        presets: the settings of each preset, by its name.
        defaults: the command's own defaults, where they differ from those of `Settings`.
        calls_of: a function that returns the calls that the command makes.
    """
    names = tuple(name for name in flags_of(stages, also) if name not in without)

    def wrap(function: Callable[..., None]) -> click.Command:
        @click.pass_context
        def call(ctx: click.Context, /, config: str | None, **flags: Any) -> None:
            preset = flags.pop("preset") if presets else None
            extra = {name: flags.pop(name) for name in list(flags) if name not in SETTINGS}
            given = {
                name: value
                for name, value in flags.items()
                if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
            }
            written = read_toml(config) if config is not None else {}
            values = {**defaults, **presets.get(preset or "", {}), **written}
            settings = Settings(**(values | given), given=frozenset(given))
            if settings.model is not None and "model" in names:
                settings = replace(settings, model=found_model(settings.model))
            if "models" in extra:
                extra["models"] = tuple(map(found_model, extra["models"]))
            calls = calls_of(settings, function.__name__, extra)
            check_given(given, calls)
            if not extra.get("dry_run"):
                check_present(settings, names)
            # A settings file serves many calls, so a useless setting gives only a warning.
            for sentence in unused(written.keys() & {*names} - given.keys(), calls):
                console.warn(f"{config}: {sentence}")
            function(settings, **extra)

        call = click.option(
            "--config",
            metavar="FILE",
            help="Settings as TOML, such as a run's settings.toml; a flag overrides it.",
        )(call)
        if presets:
            call = click.option(
                "--preset",
                type=click.Choice(list(presets)),
                help="reference: the recipe of the reference experiment, --split none included; "
                "small: more and smaller steps, for a hundred questions or fewer. Settings and "
                "flags override it.",
            )(call)
        options = [option(name, defaults) for name in reversed(names)]
        for decorate in (*more, *options):
            call = decorate(call)
        return program.command(
            name=function.__name__,
            help=f"{inspect.getdoc(function)}\n\n\b\nExample:\n  {example}",
        )(call)

    return wrap


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stage2", message="stage2 %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def program(debug: bool) -> None:
    r"""Find the questions that a retrieval model gets wrong, train on them, prove it helped.

    \b
    stage2 run                         everything, on the built-in sample
    stage2 run --qa qa.json --chunks chunks.jsonl --entities entities.jsonl
    stage2 mine --topk 3 --qa …        only the hard examples
    """


@command(
    *("init", "prepare", "mine", "train", "evaluate"),
    without=("dev_data",),
    example="stage2 run --qa qa.json --chunks chunks.jsonl --entities entities.jsonl",
    presets=RUN_PRESETS,
    defaults=RUN_DEFAULTS,
)
def run(settings: Settings) -> None:
    """Do everything: prepare, mine, train, evaluate on held-out questions, report.

    With no data given the built-in sample is used.
    """
    from stage2.cli.commands import run as run_module

    run_module.run_command(settings)


@command(
    "init",
    example="stage2 init --backbone my-encoder/ --chunks chunks.jsonl --output-dir stage1-run",
)
def init(settings: Settings) -> None:
    """Make a stage-1 model from any Hugging Face encoder.

    The heads are fitted on the chunks so that cosines of μ follow the encoder's own.
    """
    from stage2.cli.commands import init

    init.init(settings)


@command("prepare", example="stage2 prepare --qa qa.json --chunks chunks.jsonl --negatives 5")
def prepare(settings: Settings) -> None:
    """Construct samples: each question with its ground truths and random negatives."""
    from stage2.cli.commands import prepare

    prepare.prepare(settings)


@command(
    "annotate",
    without=("output_dir", "seed", "device"),
    example="stage2 annotate --chunks chunks.jsonl --qa qa.json --gazetteer names.txt "
    "--output entities.jsonl",
    more=[
        click.option(
            "--output", required=True, metavar="FILE", help="The file of annotations to write."
        ),
        click.option(
            "--stats",
            is_flag=True,
            help="Print how many texts have an entity, which names were never met, which most.",
        ),
    ],
)
def annotate(settings: Settings, output: str, stats: bool) -> None:
    """Find the entities in questions and chunks, and write annotations for --entities.

    They are the names of a gazetteer, or what a spaCy pipeline finds.
    """
    from stage2.cli.commands import annotate

    annotate.annotate(settings, output, stats)


@command(
    *("init", "prepare", "mine"),
    example="stage2 mine --topk 3 --qa qa.json --chunks chunks.jsonl --entities e.jsonl",
)
def mine(settings: Settings) -> None:
    """Score and rank the candidates, and select the hard examples.

    Writes evaluation_results.json and hard_negatives.jsonl, and constructed_data.jsonl unless it
    was given samples by --data. With --source corpus the candidates are the hardest negatives of
    the whole corpus, found by exact search, and a question is hard when its ground truth ranks
    below --topk among all chunks.
    """
    from stage2.cli.commands import mine

    mine.mine(settings)


@command(
    "train",
    without=("qa", "chunks", "corpus", "train_on", "replay", "test_share"),
    example="stage2 train --data hard_negatives.jsonl --entities e.jsonl --model stage1/",
)
def train(settings: Settings) -> None:
    """Train on hard examples with a margin ranking loss, or another.

    What is shipped is the best on the dev questions of stage 1 and the epochs. Where no epoch
    helps, parts of the way to the best of them are tried too.
    """
    from stage2.cli.commands import train

    train.train_command(settings)


@command(
    "evaluate",
    without=("folds",),
    example="stage2 evaluate --model stage1/ --model model/ --data constructed_data.jsonl",
    more=[
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="DIR|FILE.pt",
            help="A model; give it twice for before and after on the same samples.",
        )
    ],
)
def evaluate(settings: Settings, models: tuple[str, ...]) -> None:
    """Evaluate a model, or compare two on the same samples."""
    from stage2.cli.commands import evaluate

    evaluate.evaluate_command(settings, models)


@command(
    "audit",
    example="stage2 audit --data hard_negatives.jsonl --model stage1/ --output-dir audit",
    more=[
        click.option(
            "--strict",
            is_flag=True,
            help="Exit with 1 where anything but a hint is found.",
        )
    ],
)
def audit(settings: Settings, strict: bool) -> None:
    """Say what is wrong with the negatives: false ones, repeats, short lists.

    Prints a table of counts and writes audit.json, and each finding as a row of audit.jsonl. With
    no data given the folder's own samples and scores are looked at.
    """
    from stage2.cli.commands import audit

    audit.audit_command(settings, strict)


@command(
    "sweep",
    without=("fail_if_regressed",),
    defaults=RUN_DEFAULTS,
    calls_of=calls_of_sweep,
    example="stage2 sweep --grid learning_rate=1e-5,3e-5 --grid epochs=2,4 --output-dir sweep",
    more=[
        click.option(
            "--grid",
            multiple=True,
            metavar="KEY=V1,V2",
            help="Values of an option of mining or training; every combination is tried.",
        ),
        click.option(
            "--random",
            "draws",
            type=click.IntRange(min=1),
            metavar="N",
            help="Try N combinations of the grid, drawn by --seed, instead of all.",
        ),
        click.option(
            "--preset",
            type=click.Choice(PRESETS),
            help="reference: the next steps of the reference experiment, one at a time; "
            "strategies: where negatives come from, which pairs, which loss, and replay.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Trials at a time, each in a process of its own where there are several.",
        ),
        click.option(
            "--dry-run", is_flag=True, help="Print the trials, impossible ones too, and run none."
        ),
    ],
)
def sweep(
    settings: Settings,
    grid: tuple[str, ...],
    draws: int | None,
    preset: str | None,
    jobs: int,
    dry_run: bool,
) -> None:
    """Try many settings, select on dev, and measure the winner once on test.

    Each trial is a run in a folder of its own below trials/; one that is done is not done again.
    All stand in sweep.jsonl, and in a table on stdout, the best first.
    """
    wanted = trials(settings, parse_grid(grid), draws, preset)
    if dry_run:
        click.echo("\n".join(trial.name for trial in wanted))
        return
    from stage2.cli.commands import sweep

    sweep.sweep(settings, wanted, jobs)


@command(
    "merge",
    example="stage2 merge --model stage1/ --model model/ --data constructed_data.jsonl",
    more=[
        click.option(
            "--model",
            "models",
            multiple=True,
            metavar="DIR|FILE.pt",
            help="A model; give it twice, stage 1 first, or oftener for a soup.",
        )
    ],
)
def merge(settings: Settings, models: tuple[str, ...]) -> None:
    """Combine stage 1 and stage 2: their weights into one model, or the scores of both.

    Without --alpha the weight of the second model is the best on the dev questions.
    """
    from stage2.cli.commands import merge

    merge.merge(settings, models)


@command(
    also=("language", "overwrite"),
    example="stage2 report --output-dir stage2-run --language zh --open",
    more=[click.option("--open", "show", is_flag=True, help="Open report.html in a browser.")],
)
def report(settings: Settings, show: bool) -> None:
    """Write the report of a run folder: a page, Markdown, JSON, and the loss curve."""
    from stage2.cli.commands import report

    path = report.report(settings)
    if show:
        click.launch(path.with_name(files.PAGE).resolve().as_uri())


@command(
    also=("model", "backbone", "max_length"),
    example="""stage2 export --model stage2-run --to sentence-transformers --output-dir exported
  stage2 export stage2-run --to flag-embedding --output-dir mined
  stage2 export stage2-run --to trec --output-dir trec""",
    more=[
        click.argument("run", required=False),
        click.option(
            "--to",
            type=click.Choice(list(EXPORTS)),
            required=True,
            help=f"The format. Of a model: {exports_of(['model'])}. Of a run, for another trainer: "
            f"{exports_of(['mined set'])}. Of a run, for what evaluates and searches: "
            f"{exports_of(['rankings', 'vectors', 'results'])}.",
        ),
        click.option(
            "--as",
            "kind",
            type=click.Choice(list(dict.fromkeys(k for e in EXPORTS.values() for k in e.kinds))),
            help="The kind of files. Default: npy for embeddings, jsonl for rows.",
        ),
        click.option(
            "--questions",
            type=click.Choice(QUESTIONS),
            help="Which questions another trainer gets: the hard ones, or all. Default: hard.",
        ),
        click.option(
            "--depth",
            type=click.IntRange(min=0),
            metavar="N",
            help="So many chunks of the corpus stand in a TREC run for each question; 0: no run "
            f"over the corpus, for which no model is loaded. Default: {DEPTH}.",
        ),
    ],
)
def export(
    settings: Settings,
    run: str | None,
    to: str,
    kind: str | None,
    questions: str | None,
    depth: int | None,
) -> None:
    """Write a model (--model), or what the run in the folder RUN found, for another tool.

    A model is read back by that tool, and must give the same vectors. What a run found is written
    with a file for each side of its split, so that nobody trains on test questions unawares.
    """
    from stage2.cli.commands import export

    export.export(settings, Options(to, kind, questions, depth), run)


@program.group()
def cache() -> None:
    r"""Look at the vectors that are kept on disk, or delete some of them.

    \b
    Example:
      stage2 cache info
    """


@cache.command(name="info")
@option("embedding_cache")
def cache_info(embedding_cache: str) -> None:
    r"""Show each model's vectors: how many, how large, when last used.

    \b
    Example:
      stage2 cache info
    """
    from stage2.cli.commands import cache

    cache.info(embedding_cache)


@cache.command(name="prune")
@option("embedding_cache")
@click.option("--older-than", type=float, metavar="DAYS", help="Delete what is unused so long.")
@click.option("--max-size", metavar="SIZE", help="Keep what was used last, up to this size.")
def cache_prune(embedding_cache: str, older_than: float | None, max_size: str | None) -> None:
    r"""Delete vectors by age or by size; --max-size 0 deletes them all.

    \b
    Example:
      stage2 cache prune --older-than 30 --max-size 4GB
    """
    from stage2.cli.commands import cache

    cache.prune(embedding_cache, older_than, max_size)


def main() -> None:
    """Run the program. Under torchrun rank 0 runs it, and other ranks lend it their devices."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from stage2.utils import distributed

        with console.library_messages():
            distributed.run(lambda: program(prog_name="stage2"))
    # Outside training, SIGTERM acts as Ctrl-C does, so that no half-written file is left. Under
    # torchrun it ends a process at once, since the process may be waiting for one that is lost.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    program(prog_name="stage2")
