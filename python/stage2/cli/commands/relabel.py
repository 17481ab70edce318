"""`stage2 relabel` brings judgements back into the labels of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stage2.cli import console, dry_run
from stage2.cli.dry_run import Plan, Workload
from stage2.cli.inputs import write_rejected_rows
from stage2.config import Settings
from stage2.data.conversion import check_target, target_format, write
from stage2.data.dataset import Dataset
from stage2.data.formats import read_tables
from stage2.data.judgements import read_judgements
from stage2.data.relabel import TOLD, Rules, keeps_negatives, relabel
from stage2.data.table_contents import tables_of
from stage2.data.tables import Tables
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.variants import FORMATS, format_of


@dataclass(frozen=True)
class Flags:
    """The flags of the command that are no settings.

    Attributes:
        judgements: the files of judgements.
        output: the file or folder that is made.
        to: the name of its format; None for that of its suffix or of the input.
        agree: so many judges must say the same.
        who: the judges that count; empty for all.
    """

    judgements: tuple[str, ...]
    output: str
    to: str | None = None
    agree: int = 1
    who: tuple[str, ...] = ()


def relabel_command(settings: Settings, flags: Flags) -> Counter[str]:
    """Read the data and the judgements, write the data with new labels, and say what changed."""
    target = Path(flags.output)
    log = files.told_beside(target, files.RELABELLED)
    reads = _reads(settings, flags)
    named = [path for flag, path in reads.items() if flag != "--judgements"]
    for path in (*named, *flags.judgements):
        files.check_regular(path)
    name = _format(settings, target, flags.to)
    for made in (target, log):
        check_target(made)
    tables = _tables(settings)
    judged, rejected = read_judgements([*map(Path, flags.judgements)], tables, settings)
    _check_judges(flags, {one.by for one in judged})
    rules = Rules(flags.agree, frozenset(flags.who), keeps_negatives(tables, FORMATS[name]))
    found = relabel(tables, judged, rules)
    counts = {"judgements": len(judged), "questions": len(tables.question_ids)}
    load = Workload({**counts, "changes": len(found.changes)})
    dry_run.plan(lambda: Plan(reads, load, flags.output))
    # The log goes first: where there are new labels, it says why.
    files.write_jsonl(log, found.changes)
    try:
        done = write(found.tables, target, name, settings.title == "join")
    except BaseException:
        log.unlink()
        raise
    if left := (*tables.rejected, *rejected):
        write_rejected_rows(files.told_beside(flags.output, files.REJECTED), left)
    for note in done.notes:
        console.say(note)
    for what, count in sorted(done.left.items()):
        console.warn(f"left out, because {name} has no place for them: {count} {what}")
    _tell(found.counts)
    console.keep(relabelled={key: found.counts[key] for key in TOLD})
    folder, written = (target, []) if target.is_dir() else (target.parent, [files.written(target)])
    console.keep_place(files.written(folder), [*written, files.written(log)])
    console.say(f"{name}: {flags.output}; each change, by whom and why: {log}")
    return found.counts


def _reads(settings: Settings, flags: Flags) -> dict[str, str]:
    """Return the paths that are read, by their flags.

    Raises:
        BadInputError: no data set is named, or two are.
    """
    pair = (settings.qa, settings.chunks)
    if settings.data is not None and any(pair):
        raise BadInputError("--data is a data set by itself; give it, or --qa and --chunks")
    if settings.data is None and None in pair:
        raise BadInputError("expected --data PATH, or --qa FILE and --chunks FILE: what was judged")
    named = {name: getattr(settings, name) for name in ("data", "qa", "chunks")}
    found = {f"--{name}": path for name, path in named.items() if path is not None}
    return {**found, "--judgements": ", ".join(flags.judgements)}


def _format(settings: Settings, target: Path, to: str | None) -> str:
    """Return the format that is written: that of --to, of the suffix, or of the input."""
    own = None if settings.data is None else format_of(Path(settings.data), settings.format)
    if to is None and own is not None and FORMATS[own].holds is not None:
        suffixes = [s for kind in FORMATS.values() if kind.holds is not None for s in kind.suffixes]
        if target.suffix.lower() not in suffixes:
            return own
    return target_format(target, to)


def _tables(settings: Settings) -> Tables:
    if settings.data is not None:
        return read_tables(settings)
    if settings.qa is None or settings.chunks is None:
        raise ValueError("no data set is named")
    dataset = Dataset.load(
        settings.qa, settings.chunks, None, settings.on_error, False, settings.decompressed
    )
    for warning in dataset.warnings:
        console.warn(warning)
    found = tables_of(dataset)
    return replace(found, rejected=tuple(dataset.rejected))  # type: ignore[arg-type]


def _check_judges(flags: Flags, judges: set[str]) -> None:
    """Refuse a --who or an --agree that no judgement can meet.

    Raises:
        BadInputError: nobody of that name has judged, or there are too few judges.
    """
    if unknown := sorted(set(flags.who) - judges):
        raise BadInputError(
            f"--who {unknown[0]}: has judged nothing in {' and '.join(flags.judgements)}; "
            f"expected some of {', '.join(map(repr, sorted(judges)))}"
        )
    count = len(set(flags.who) or judges)
    if flags.agree > count:
        raise BadInputError(
            f"--agree {flags.agree}: only {count} judges count; expected at most so many"
        )


def _tell(counts: Mapping[str, int]) -> None:
    for name, words in TOLD.items():
        if counts.get(name):
            tell = console.warn if name in _WARNED else console.say
            tell(f"{counts[name]} {words}")
    if not any(counts.get(name) for name in _CHANGES):
        console.warn("the judgements change no label")


_CHANGES = ("answers_added", "answers_dropped", "negatives_added")
_WARNED = ("unanswered", "disputed", "no_place")
