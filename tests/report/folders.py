"""Synthetic run folders for tests of reports, and the sections of their reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stage2.report.render import write_report
from stage2.utils import files
from tests.comparisons import (
    metrics,
)

SETTINGS = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-5,
    "weight_decay": 0.01,
    "margin": 0.1,
    "pairs": "graded",
    "similarity": "auto",
    "precision": "auto",
    "split": "chunk",
    "dev_share": 0.2,
    "test_share": 0.3,
    "seed": 7,
}


def epoch(number: int, loss: float | None, mrr: float) -> dict[str, Any]:
    return {
        "epoch": number,
        "loss": loss,
        "learning_rate": 1e-5 if number else 0.0,
        "seconds": 4.5 * number,
        "dev": metrics(0.2, 0.5, 0.8, mrr, 10),
        "train_examples": 21,
    }


def in_rounds(folder: Path) -> Path:
    """Let the training of a folder have a second round after its first epoch, with 3 negatives."""
    log = files.read_jsonl(folder / files.TRAINING_LOG)
    for row in log:
        row.update({"round": 2, "new_negatives": 2} if row["epoch"] > 1 else {"round": 1})
    files.write_jsonl(folder / files.TRAINING_LOG, log)
    (folder / files.ROUNDS).mkdir()
    rows = [
        {"qa_id": "q1", "negative_chunk_ids": ["c1", "c2"], "sources": ["model", "model"]},
        {"qa_id": "q2", "negative_chunk_ids": ["c1"], "sources": ["model"]},
    ]
    files.write_jsonl(folder / files.ROUNDS / files.round_file(2), rows)
    return folder


STAGE1_SHIPPED = {"name": "stage 1", "kind": "stage1", "epoch": 0, "alpha": 0.0}


def record() -> dict[str, Any]:
    stages = {"prepare": 0.5, "init": 1.5, "mine": 6.0, "train": 27.0, "evaluate": 5.0}
    return {
        "started": "2024-05-06T07:08:09+00:00",
        "stage2_version": "1.2.3",
        "python": "3.11.7",
        "torch": "2.9.0",
        "transformers": "5.0.0",
        "cpu": "Some CPU",
        "cpu_capability": "AVX2",
        "threads": 2,
        "device": "cpu",
        "precision": "fp32",
        "seed": 7,
        "stages": {
            name: {"seconds": seconds, "made_from": SETTINGS} for name, seconds in stages.items()
        },
        "data": {
            "source": "files",
            "num_qa": 60,
            "num_chunks": 1231,
            "num_annotations": 1463,
            "num_samples": 60,
            "negatives": 5,
            "rejected": {"unknown_chunk": 3},
            "files": {"qa": {"path": "/data/qa.json", "sha256": "0123456789abcdef" * 4}},
            "texts_encoded": 350,
        },
        "split": {"by": "chunk", "train": 30, "dev": 10, "test": 20, "trained_on": 21},
        "shipped": {
            "name": "epoch 2",
            "kind": "epoch",
            "epoch": 2,
            "alpha": 1.0,
            "dev_metric": "mrr",
            "dev_value": 0.625,
            "dev_held_out": True,
            "reason": {"en": "the highest dev MRR (0.6250)", "zh": "开发集 MRR 最高（0.6250）"},
            "candidates": [
                {"name": "epoch 2", "kind": "epoch", "epoch": 2, "alpha": 1.0, "dev_value": 0.625},
                {
                    "name": "0.4 of the way to epoch 2",
                    "kind": "interpolation",
                    "epoch": 2,
                    "alpha": 0.4,
                    "dev_value": 0.6,
                },
                {"name": "stage 1", "kind": "stage1", "epoch": 0, "alpha": 0.0, "dev_value": 0.35},
            ],
        },
    }


def mining() -> dict[str, Any]:
    return {
        "num_samples": 60,
        "topk": 3,
        "num_hard": 33,
        "hard_share": 0.55,
        "metrics": metrics(0.1, 0.45, 0.8, 0.35, 60),
        "pairs": {"entity": 300, "fallback": 60},
        "similarity": "auto",
        "source": "candidates",
    }


Make = Callable[..., Path]


def sections(folder: Path, language: str = "en") -> dict[str, str]:
    """Return the sections of a report by heading. The part before the first heading is ''."""
    path = write_report(folder, language)
    assert path == folder / files.REPORT
    head, *parts = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)
    return {"": head} | dict(text.split("\n", 1) for text in parts)


def rows_of(section: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("|")
    ]
