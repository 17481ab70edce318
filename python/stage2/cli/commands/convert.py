"""`stage2 convert` writes a data set in another format."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from stage2.cli import console, dry_run
from stage2.cli.dry_run import Plan, Workload
from stage2.cli.inputs import write_rejected_rows
from stage2.config import Settings
from stage2.data.conversion import check_target, target_format, write
from stage2.data.formats import read_tables
from stage2.data.tables import Tables
from stage2.utils import files


def convert_command(
    settings: Settings, in_path: str, out_path: str, to: str | None
) -> Counter[str]:
    """Read the data set, write it, and say what was left out.

    Returns:
        How much was left out, by what it is.
    """
    path = Path(out_path)
    target_format(path, to)
    files.check_regular(in_path)
    check_target(path)
    tables = read_tables(replace(settings, data=in_path))
    return write_converted(tables, out_path, to, settings.title == "join", in_path)


def write_converted(
    tables: Tables, out_path: str, to: str | None, join_titles: bool, in_path: str | None = None
) -> Counter[str]:
    """Write a data set, and say what was left out.

    Args:
        tables: the data set.
        out_path: the file or folder that is made; nothing may be there yet.
        to: the name of its format; None for that of its suffix.
        join_titles: as in `conversion.write`.
        in_path: where the data set was read, for a dry run; None if it is in memory.

    Returns:
        How much was left out, by what it is.
    """
    path = Path(out_path)
    name = target_format(path, to)
    counts = {"questions": len(tables.question_ids), "chunks": len(tables.chunk_ids)}
    reads = {} if in_path is None else {"IN": in_path}
    dry_run.plan(lambda: Plan(reads, Workload(counts), out_path))
    done = write(tables, path, name, join_titles)
    folder, written = (path, []) if path.is_dir() else (path.parent, [files.written(path)])
    console.keep_place(files.written(folder), written)
    for note in done.notes:
        console.say(note)
    for what, count in sorted(done.left.items()):
        console.warn(f"left out, because {name} has no place for them: {count} {what}")
    if tables.rejected:
        write_rejected_rows(files.told_beside(out_path, files.REJECTED), tables.rejected)
    console.say(
        f"{name}: {len(tables.question_ids)} questions, {len(tables.chunk_ids)} chunks and "
        f"{len(tables.relevant.chunks)} pairs of them in {out_path}"
    )
    return done.left
