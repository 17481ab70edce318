"""The command line. It parses, calls and prints, and has no algorithm."""

from __future__ import annotations

import os
import signal
from typing import Any

import click

from stage2.cli import console
from stage2.cli import data_commands as _data_commands  # noqa: F401 - its commands join the program
from stage2.cli import tools as _tools  # noqa: F401 - its commands join the program
from stage2.cli.command import (
    command,
    program,
)
from stage2.cli.export_options import DEPTH, QUESTIONS, Options, refuse_data
from stage2.cli.options import TextType, flag
from stage2.cli.sweep_grid import PRESETS, calls_of_sweep, parse_grid, trials
from stage2.cli.trec_table import TrecFlags, print_table
from stage2.config import OWN, Settings, SystemConfig
from stage2.presets import RUN_DEFAULTS, RUN_PRESETS
from stage2.utils import files
from stage2.variants import EXPORTS, exports_of


@command(
    *("init", "prepare", "mine", "train", "evaluate"),
    without=("dev_data", *OWN[SystemConfig]),
    example="stage2 run --qa qa.json --chunks chunks.jsonl --entities entities.jsonl",
    plans=True,
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
    plans=True,
)
def init(settings: Settings) -> None:
    """Make a stage-1 model from any Hugging Face encoder.

    The heads are fitted on the chunks so that cosines of μ follow the encoder's own.
    """
    from stage2.cli.commands import init

    init.init(settings)


@command(
    "prepare",
    example="stage2 prepare --qa qa.json --chunks chunks.jsonl --negatives 5",
    plans=True,
)
def prepare(settings: Settings) -> None:
    """Construct samples: each question with its ground truths and random negatives."""
    from stage2.cli.commands import prepare

    prepare.prepare(settings)


@command(
    *("init", "prepare", "mine"),
    example="stage2 mine --topk 3 --qa qa.json --chunks chunks.jsonl --entities e.jsonl",
    plans=True,
)
def mine(settings: Settings) -> None:
    """Score and rank the candidates, and select the hard examples.

    Writes evaluation_results.json and hard_negatives.jsonl, and constructed_data.jsonl unless it
    was given samples by --data. Where the data have a corpus, or with --source corpus, the
    candidates are the hardest negatives of the whole corpus, found by exact search, and a question
    is hard when its ground truth ranks below --topk among all chunks.
    """
    from stage2.cli.commands import mine

    mine.mine(settings)


@command(
    "train",
    without=("qa", "chunks", "corpus", "train_on", "replay", "test_share"),
    example="stage2 train --data hard_negatives.jsonl --entities e.jsonl --model stage1/",
    plans=True,
)
def train(settings: Settings) -> None:
    """Train on hard examples with a margin ranking loss, or another.

    What is shipped is the best on the dev questions of stage 1 and the epochs, and with
    --eval-every of steps in them. Where none helps, parts of the way to the best of them are
    tried too.
    """
    from stage2.cli.commands import train

    train.train_command(settings)


@command(
    "evaluate",
    without=("folds",),
    example="stage2 evaluate --model stage1/ --model model/ --data constructed_data.jsonl",
    plans=True,
    more=[
        flag(
            "--model",
            "models",
            multiple=True,
            type=TextType("DIR|FILE.pt"),
            metavar="DIR|FILE.pt",
            help="A model; give it twice for before and after on the same samples.",
        ),
        flag(
            "--qrels",
            metavar="FILE",
            help="Judgements of the documents of --run: print trec_eval's table and write nothing.",
        ),
        flag(
            "-m",
            "measures",
            multiple=True,
            metavar="NAME",
            help="With --qrels: a measure of trec_eval, such as map or P.5,10. Default: official.",
        ),
        flag(
            "-l",
            "level",
            type=click.IntRange(min=1),
            metavar="N",
            help="With --qrels: documents of this relevance or more are relevant. Default: 1.",
        ),
        flag(
            "-c",
            "complete",
            is_flag=True,
            help="With --qrels: a question of the qrels that the run lacks counts as 0.",
        ),
        flag("--per-query", is_flag=True, help="With --qrels: print each question too."),
        flag(
            "--expected",
            is_flag=True,
            help="With --qrels: a column with the expectation over all orders of equal scores.",
        ),
    ],
)
def evaluate(settings: Settings, models: tuple[str, ...], **trec: Any) -> None:
    """Evaluate a model or another system, or compare two on the same samples.

    With --run and --qrels it prints the table of trec_eval.
    """
    flags = TrecFlags(**trec)
    flags.check(settings)
    if flags.qrels is not None:
        print_table(settings, flags)
        return
    from stage2.cli.commands import evaluate

    evaluate.evaluate_command(settings, models)


@command(
    "audit",
    example="stage2 audit --data hard_negatives.jsonl --model stage1/ --output-dir audit",
    plans=True,
    more=[
        flag(
            "--strict",
            is_flag=True,
            help="Exit with 1 where anything but a hint is found.",
        ),
        flag(
            "--review",
            is_flag=True,
            help="Write review.html, on which people judge the most doubtful labels.",
        ),
        flag(
            "--review-pairs",
            type=click.IntRange(min=1),
            metavar="N",
            help="So many doubtful pairs are written by --review. Default: 500.",
        ),
    ],
)
def audit(settings: Settings, **flags: Any) -> None:
    """Say what is wrong with the negatives: false ones, repeats, short lists.

    Prints a table of counts and writes audit.json, and each finding as a row of audit.jsonl. With
    no data given the folder's own samples and scores are looked at.

    With --review it also looks for labels that are wrong and for answers that have none, in the
    whole corpus where there is one, and writes a page on which people judge them. stage2 relabel
    brings what they say back.
    """
    from stage2.cli.commands import audit

    audit.audit_command(settings, audit.Flags(**flags))


@command(
    "check",
    example="stage2 check --model encoder/ --data my-data/ --output-dir check",
    plans=True,
)
def check(settings: Settings) -> None:
    """Say whether to train at all, and write check.html, check.md and check.json.

    Measures the model as it is, BM25 and both fused over the whole corpus; looks at prompts, cut
    texts, doubtful labels and leaks; and simulates how small a gain the held-out questions can
    show. It ends with one sentence, chosen by written rules.
    """
    from stage2.cli.commands import check

    check.check(settings)


@command(
    "sweep",
    without=("fail_if_regressed",),
    defaults=RUN_DEFAULTS,
    calls_of=calls_of_sweep,
    example="stage2 sweep --grid learning_rate=1e-5,3e-5 --grid epochs=2,4 --output-dir sweep",
    plans=True,
    more=[
        flag(
            "--grid",
            multiple=True,
            metavar="KEY=V1,V2",
            help="Values of an option of mining or training; every combination is tried.",
        ),
        flag(
            "--random",
            "draws",
            type=click.IntRange(min=1),
            metavar="N",
            help="Try N combinations of the grid, drawn by --seed, instead of all.",
        ),
        flag(
            "--preset",
            type=click.Choice(PRESETS),
            help="reference: the next steps of the reference experiment, one at a time; "
            "strategies: where negatives come from, which pairs, which loss, and replay; recipes: "
            "a grid of loss, mined negatives, learning rate, temperature, batches and epochs.",
        ),
        flag(
            "--jobs",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Trials at a time, each in a process of its own where there are several.",
        ),
        flag(
            "--budget",
            type=float,
            metavar="MINUTES",
            help="Search in so many minutes: train all trials on a part of the questions, the "
            "best of them on more, and the last few on all. Default: all trials on all questions.",
        ),
    ],
)
def sweep(
    settings: Settings,
    grid: tuple[str, ...],
    draws: int | None,
    preset: str | None,
    jobs: int,
    budget: float | None,
) -> None:
    """Try many settings, select on dev, and measure the winner once on test.

    Each trial is a run in a folder of its own below trials/; one that is done is not done again.
    All stand in sweep.jsonl, and in a table on stdout, the best first.
    """
    wanted = trials(settings, parse_grid(grid), draws, preset)
    from stage2.cli.commands import sweep

    sweep.sweep(settings, wanted, jobs, budget)


@command(
    "merge",
    example="stage2 merge --model stage1/ --model model/ --data constructed_data.jsonl",
    plans=True,
    more=[
        flag(
            "--model",
            "models",
            multiple=True,
            type=TextType("DIR|FILE.pt"),
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
    plans=True,
    more=[flag("--open", "show", is_flag=True, help="Open report.html in a browser.")],
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
  stage2 export --model stage2-run --to int8 --output-dir served
  stage2 export stage2-run --to flag-embedding --output-dir mined
  stage2 export stage2-run --to trec --output-dir trec""",
    plans=True,
    more=[
        # A setting has the name `run`.
        click.argument("run_folder", metavar="[RUN]", required=False),
        flag(
            "--data",
            hidden=True,
            expose_value=False,
            is_eager=True,
            callback=refuse_data,
            help="Refused: stage2 convert writes data sets.",
        ),
        flag(
            "--to",
            type=click.Choice(list(EXPORTS)),
            required=True,
            help=f"The format. Of a model: {exports_of(['model'])}. Of a run, for another trainer: "
            f"{exports_of(['mined set'])}. Of a run, for what evaluates and searches: "
            f"{exports_of(['rankings', 'vectors', 'results'])}.",
        ),
        flag(
            "--as",
            "kind",
            type=click.Choice(list(dict.fromkeys(k for e in EXPORTS.values() for k in e.kinds))),
            help="The kind of files. Default: npy for embeddings, jsonl for rows.",
        ),
        flag(
            "--questions",
            type=click.Choice(QUESTIONS),
            help="Which questions another trainer gets: the hard ones, or all. Default: hard.",
        ),
        flag(
            "--depth",
            type=click.IntRange(min=0),
            metavar="N",
            help="So many chunks of the corpus stand in a TREC run for each question; 0: no run "
            f"over the corpus, for which no model is loaded. Default: {DEPTH}.",
        ),
        flag(
            "--push-to-hub",
            metavar="ORG/NAME",
            help="Send the folder of a model to this repository of the hub, which is made private "
            "if it is new. The token is that of `hf auth login` or of HF_TOKEN. Default: no.",
        ),
    ],
)
def export(
    settings: Settings,
    run_folder: str | None,
    to: str,
    kind: str | None,
    questions: str | None,
    depth: int | None,
    push_to_hub: str | None,
) -> None:
    """Write a model (--model), or what the run in the folder RUN found, for another tool.

    A model is run by that tool, and must give the same vectors; where the format loses some, how
    many is measured, stands in its README.md, and has a bound. What a run found is written with a
    file for each side of its split, so that nobody trains on test questions unawares. A data set
    itself is written in another format by stage2 convert.
    """
    from stage2.cli.commands import export

    export.export(settings, Options(to, kind, questions, depth, push_to_hub), run_folder)


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
