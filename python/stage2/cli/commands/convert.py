"""`stage2 convert` writes a data set in another format."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from stage2.cli import console
from stage2.config import Settings
from stage2.data.conversion import convert as write
from stage2.data.conversion import target_format
from stage2.utils import files


def convert(settings: Settings, in_path: str, out_path: str, to: str | None) -> None:
    """Read the data set, write it, and say what was left out."""
    path = Path(out_path)
    name = target_format(path, to)
    files.check_regular(in_path)
    done = write(replace(settings, data=in_path), path, name)
    tables = done.tables
    for note in done.notes:
        console.say(note)
    for what, count in sorted(done.left.items()):
        console.warn(f"left out, because {name} has no place for them: {count} {what}")
    if tables.rejected:
        rows = Path(f"{out_path}.{files.REJECTED}")
        files.write_jsonl(rows, [asdict(row) for row in tables.rejected])
        for reason, count in sorted(Counter(row.reason for row in tables.rejected).items()):
            console.warn(f"{count} rows skipped: {reason}")
        console.warn(f"rejected rows: {rows}")
    console.say(
        f"{name}: {len(tables.question_ids)} questions, {len(tables.chunk_ids)} chunks and "
        f"{len(tables.relevant.chunks)} pairs of them in {out_path}"
    )
