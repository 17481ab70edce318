"""The table of a run folder's files."""

from __future__ import annotations

from pathlib import Path

from stage2.report import numbers
from stage2.report.markdown import escape, table
from stage2.report.run import Run
from stage2.report.training import point_name
from stage2.report.words import Words
from stage2.utils import files

# The files in the order in which a run writes them, with the keys of their descriptions.
CONTENT = {
    files.SETTINGS: "file_settings",
    files.RUN: "file_run",
    files.SAMPLE: "file_sample",
    files.CONSTRUCTED: "file_constructed",
    files.REJECTED: "file_rejected",
    files.STAGE1_MODEL: "file_stage1",
    files.EVALUATION: "file_evaluation",
    files.MINING_SUMMARY: "file_summary",
    files.HARD: "file_hard",
    files.NEGATIVE_SOURCES: "file_negative_sources",
    files.AUDIT: "file_audit",
    files.AUDIT_ROWS: "file_audit_rows",
    files.CROSS_SCORES: "file_cross_scores",
    files.CHECK: "file_check",
    files.CHECK_PAGE: "file_check",
    files.CHECK_JSON: "file_check_json",
    files.REVIEW: "file_review",
    files.REVIEW_ROWS: "file_review_rows",
    files.CROSS_JUDGEMENTS: "file_cross_judgements",
    files.SPLIT: "file_split",
    files.TEACHER_SCORES: "file_teacher_scores",
    files.TRAINING_LOG: "file_log",
    files.ROUNDS: "file_rounds",
    files.SHIPPED_MODEL: "file_shipped",
    files.MODEL_OF_ROLE["query"]: "file_query_model",
    files.MODEL_OF_ROLE["document"]: "file_document_model",
    files.EVALUATION_AFTER: "file_after",
    files.COMPARISON: "file_comparison",
    files.MERGE: "file_merge",
    files.PER_QUESTION: "file_per_question",
    **dict.fromkeys(files.CHARTS, "curve"),
}


def file_table(run: Run, say: Words) -> str:
    """Write the table of the folder's files with their sizes and contents."""
    rows = [
        _row(run.folder, name, say(key))
        for name, key in CONTENT.items()
        if (run.folder / name).exists()
    ]
    checkpoints = []
    for row in run.epochs:
        name, after = files.evaluated(row["epoch"], row.get("step", 0)), point_name(row, say)
        checkpoints += [
            (f"{name}.pt", say("file_checkpoint", name=after)),
            (name, say("file_epoch", name=after)),
        ]
    checkpoints.append((files.BEST_CHECKPOINT, say("file_best")))
    rows += [
        _row(run.folder, f"{files.CHECKPOINTS}/{name}", content)
        for name, content in checkpoints
        if (run.folder / files.CHECKPOINTS / name).exists()
    ]
    # The report does not know its own size while it is written.
    rows.append([f"[{escape(files.REPORT)}]({files.REPORT})", say("none"), say("file_report")])
    header = [say("file"), say("size"), say("content")]
    return table(header, rows, numbers=False)


def _row(folder: Path, name: str, content: str) -> list[str]:
    path = folder / name
    return [f"[{escape(name)}]({name})", numbers.size(_bytes(path)), content]


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    return path.stat().st_size
