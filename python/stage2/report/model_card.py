"""The card of a model that is shipped: `README.md`, with metadata that the Hub reads.

It is in English, as cards on the Hub are. Its figures are those of `comparison.json`.
"""

from __future__ import annotations

import json
from typing import Any

from stage2.report import numbers
from stage2.report.before_after import ACCURACIES, baselines_of, recalls
from stage2.report.guard import elsewhere, guards_of
from stage2.report.markdown import escape, table
from stage2.report.run import Run
from stage2.report.words import words
from stage2.utils import files

# Settings of training that a reader asks for first.
_SETTINGS = (
    "loss", "epochs", "batch_size", "learning_rate", "schedule", "temperature", "margin",
    "train", "train_on", "batches", "refit", "freeze", "lora", "precision", "seed",
)  # fmt: skip


def model_card(run: Run) -> str:
    """Write the card of the model that a run has shipped.

    Args:
        run: with `comparison.json`, and what was shipped.
    """
    say, costs = words("en"), guards_of(run.comparison)
    parts = [
        _metadata(run),
        "# An encoder for retrieval, after its second stage of training",
        f"Shipped: {escape(run.shipped['name'])}; {escape(run.shipped['reason']['en'])}.",
        "## How well it ranks",
        escape(run.comparison["verdict"]["text"]["en"]),
        *(_figures(part) for part in _shown(run)),
        *([f"## {say('elsewhere')}", elsewhere(run.comparison, say)] if costs else []),
        "## What it was trained on",
        _data(run),
        "## How it was trained",
        _settings(run),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(run: Run) -> str:
    """The block of YAML that the Hub reads. JSON is YAML, so that nothing needs to be escaped."""
    by_library = (run.folder / files.SHIPPED_MODEL / "modules.json").exists()
    library = "sentence-transformers" if by_library else "stage2"
    told: dict[str, Any] = {
        "library_name": library,
        "pipeline_tag": "sentence-similarity",
        "tags": [*dict.fromkeys([library, "sentence-similarity", "feature-extraction", "stage2"])],
        "metrics": ["mrr", "ndcg"],
        "model-index": [{"name": "stage2", "results": [_result(part) for part in _shown(run)]}],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items()]
    return "\n".join(["---", *lines, "---"])


def _result(part: dict[str, Any]) -> dict[str, Any]:
    """A result as the Hub's `model-index` has it."""
    metrics = {"mrr": "MRR", "ndcg10": "nDCG@10"} | ACCURACIES | recalls(part)
    return {
        "task": {"type": "information-retrieval", "name": "Information Retrieval"},
        "dataset": {"type": "custom", "name": f"{part['name']} questions, {part['source']}"},
        "metrics": [
            {"type": key, "name": name, "value": round(part["after"][key], 6)}
            for key, name in metrics.items()
        ],
    }


def _shown(run: Run) -> list[dict[str, Any]]:
    """The sets of questions that say most: held out, over the whole corpus, where there are such.

    Cross-validated questions were ranked by other models than the one that is shipped.
    """
    parts = [part for part in run.comparison["sets"] if part["name"] != "cross-validated"]
    held_out = [part for part in parts if part["held_out"]] or parts
    return [part for part in held_out if part["source"] == "corpus"] or held_out


def _figures(part: dict[str, Any]) -> str:
    """A set of questions: baselines, before and after, with the interval of the difference."""
    say, count = words("en"), part["num_queries"]
    heading = say(
        "set_heading", count=count, set=say(f"set_{part['name']}"),
        source=say(f"among_{part['source']}"),
    )  # fmt: skip
    baselines = baselines_of(part)
    columns = [*baselines.values(), part["before"], part["after"]]
    rows = []
    for key, name in ({"mrr": "MRR", "ndcg10": "nDCG@10"} | recalls(part)).items():
        told = part["statistics"][key]
        rows.append(
            [
                name, *(numbers.decimal(column[key]) for column in columns),
                f"{numbers.signed(told['low'])} to {numbers.signed(told['high'])}",
            ]
        )  # fmt: skip
    for k, told in part["statistics"]["success"].items():
        low, high = (numbers.percent(told["after"][side]) for side in ("low", "high"))
        key = f"top{k}"
        rows.append(
            [
                f"{ACCURACIES[key]} (Success@{k})",
                *(numbers.percent(column[key]) for column in columns),
                f"after: {low} to {high}",
            ]
        )
    names = [say(f"baseline_{name}") for name in baselines]
    header = ["metric", *names, "the model as it came", "this model",
              "95% interval of the difference"]  # fmt: skip
    return f"### {heading}\n\n{table(header, rows)}"


def _data(run: Run) -> str:
    split, data = run.record.get("split", {}), run.data
    lines = [f"- {data.get('num_samples', 0):,} questions"]
    if "num_chunks" in data:
        lines[0] += f" over {data['num_chunks']:,} chunks"
    if "train" in split:
        lines.append(
            f"- {split['trained_on']:,} of them trained on, {split['dev']:,} to choose the model, "
            f"{split['test']:,} only to measure it; split by {escape(split['by'])}"
        )
    for name, file in data.get("files", {}).items():
        lines.append(f"- {escape(name)}: SHA-256 {file['sha256']}")
    return "\n".join(lines)


def _settings(run: Run) -> str:
    told = run.made_from("train")
    rows = [(f"`{name}`", escape(told[name])) for name in _SETTINGS if told.get(name) is not None]
    version = escape(run.record["stage2_version"])
    return f"With stage2 {version}.\n\n{table(['setting', 'value'], rows, numbers=False)}"
