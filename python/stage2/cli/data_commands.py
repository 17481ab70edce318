"""The commands that change data and look at no model: annotate, convert, relabel."""

from __future__ import annotations

from typing import Any

import click

from stage2.cli.command import calls_of_convert, command
from stage2.cli.options import flag
from stage2.config import Settings
from stage2.variants import WRITTEN


@command(
    "annotate",
    without=("output_dir", "seed", "device"),
    example="stage2 annotate --chunks chunks.jsonl --qa qa.json --gazetteer names.txt "
    "--output entities.jsonl",
    plans=True,
    more=[
        flag("--output", required=True, metavar="FILE", help="The file of annotations to write."),
        flag(
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
    also=("format", "columns", "title", "on_error", "max_decompressed"),
    without=("output_dir", "seed", "device"),
    calls_of=calls_of_convert,
    plans=True,
    example="stage2 convert squad.json beir/ --to beir",
    more=[
        # Click puts the argument that is added last first.
        click.argument("out_path", metavar="OUT"),
        click.argument("in_path", metavar="IN"),
        flag(
            "--to",
            type=click.Choice(WRITTEN),
            help="The format of OUT. Default: told by its suffix; beir where it has none.",
        ),
    ],
)
def convert(settings: Settings, in_path: str, out_path: str, to: str | None) -> None:
    """Write a data set in another format, and say what that has no place for.

    IN is in any format that --data takes.
    """
    from stage2.cli.commands import convert

    convert.convert_command(settings, in_path, out_path, to)


@command(
    also=("data", "qa", "chunks", "format", "columns", "title", "on_error", "max_decompressed"),
    without=("output_dir", "seed", "device"),
    plans=True,
    example="stage2 relabel --judgements judgements.jsonl --data my-data --output mended",
    more=[
        flag(
            "--judgements",
            multiple=True,
            required=True,
            metavar="FILE",
            help="Judgements, such as the page of stage2 audit --review gives; give it again for "
            "those of others.",
        ),
        flag("--output", required=True, metavar="OUT", help="The file or folder to make."),
        flag(
            "--to",
            type=click.Choice(WRITTEN),
            help="The format of OUT. Default: told by its suffix; else that of the input, or beir.",
        ),
        flag(
            "--agree",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Change a label only where N judges say the same.",
        ),
        flag("--who", multiple=True, metavar="NAME", help="A judge that counts. Default: all."),
    ],
)
def relabel(settings: Settings, **flags: Any) -> None:
    """Bring judgements back into the labels, and write the data set that results.

    A pair on which judges disagree stays as it is. OUT.relabelled.jsonl says of each change what
    it was, who judged it, when and why.
    """
    from stage2.cli.commands import relabel

    relabel.relabel_command(settings, relabel.Flags(**flags))
