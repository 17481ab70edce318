"""`stage2 help` explains formats, metrics and files, and shows the help of commands.

A topic is a function and its row in `TOPICS`. Its text is made from the tables that the program
itself works with, so that what is added there is explained here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import click

from stage2.cli import console
from stage2.config_file import nearest
from stage2.report.columns import aligned
from stage2.report.file_table import CONTENT
from stage2.report.words import words
from stage2.utils.errors import BadInputError
from stage2.utils.schema import METRICS
from stage2.variants import EXPORTS, FORMATS

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Topic:
    """Something to explain.

    Attributes:
        text: what it is, in a line.
        parts: a function that returns its tables by their titles: names, and what they mean.
    """

    text: str
    parts: Callable[[], Mapping[str, Rows]]


def _formats() -> dict[str, Rows]:
    return {
        "A data set, by --data PATH and --format NAME": [
            (name, kind.text) for name, kind in FORMATS.items()
        ],
        "Files of their own": [
            ("--qa", "questions with chunk_id or chunk_ids: JSON or JSONL"),
            ("--chunks", "the corpus, with chunk_id and text: JSONL or a JSON array"),
            ("--entities", "annotations, with text and targets: JSONL"),
        ],
        **{
            f"{what}, by stage2 export --to NAME": [
                (name, kind.text) for name, kind in EXPORTS.items() if (kind.of == "model") == model
            ]
            for what, model in (("A model", True), ("What a run found", False))
        },
    }


def _metrics() -> dict[str, Rows]:
    say = words("en")
    known = {"topk": "Top-k", "recall": "Recall@k"}
    known |= {key: say(key) for key in METRICS if not key.startswith("top")}
    return {"Metrics": [(name, say(f"meaning_{key}")) for key, name in known.items()]}


def _files() -> dict[str, Rows]:
    say = words("en")
    return {"Files of a run folder": [(name, say(key)) for name, key in CONTENT.items()]}


TOPICS: Mapping[str, Topic] = {
    "formats": Topic("the formats of data and models that are read and written", _formats),
    "metrics": Topic("what each metric means", _metrics),
    "files": Topic("what each file of a run folder holds", _files),
}


def show_help(ctx: click.Context, program: click.Group, names: tuple[str, ...]) -> None:
    """Print the topics, one of them, or the help of a command.

    Args:
        ctx: the context of the program.
        program: the group of all commands.
        names: a topic, or the name of a command, such as `cache info`; empty for all topics.

    Raises:
        BadInputError: it is neither.
    """
    if not names:
        topics = [(f"stage2 help {name}", topic.text) for name, topic in TOPICS.items()]
        topics.append(("stage2 help COMMAND", "the same as stage2 COMMAND --help"))
        console.result(_text({"Topics": topics}), topics=list(TOPICS))
    elif len(names) == 1 and names[0] in TOPICS:
        parts = TOPICS[names[0]].parts()
        console.result(_text(parts), topic=names[0], parts={k: dict(v) for k, v in parts.items()})
    else:
        text = _help_of(ctx, program, names)
        console.result(text, text=text)


def _help_of(ctx: click.Context, group: click.Group, names: tuple[str, ...]) -> str:
    found = group.get_command(ctx, names[0])
    if found is None:
        known = [*TOPICS, *group.list_commands(ctx)]
        raise BadInputError(f"no topic or command {names[0]!r}; {nearest(names[0], known)}")
    inner = click.Context(found, info_name=names[0], parent=ctx)
    if len(names) > 1:
        if not isinstance(found, click.Group):
            raise BadInputError(f"{names[0]} has no commands of its own; expected no more words")
        return _help_of(inner, found, names[1:])
    return found.get_help(inner)


def _text(parts: Mapping[str, Rows]) -> str:
    blocks = [
        "\n".join([title, *(f"  {line}" for line in aligned(rows, (0, 1)))])
        for title, rows in parts.items()
    ]
    return "\n\n".join(blocks)
