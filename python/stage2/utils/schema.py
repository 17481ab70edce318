"""The schemas of the files in a run folder, with which a damaged file is found when it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage2.utils.errors import BadInputError

# Above this share of tokens that are cut off or unknown there is a warning. The constant stands
# here because the report must not import torch.
WORTH_A_WARNING = 0.1


@dataclass(frozen=True)
class Maybe:
    """A key that may be absent, or whose value may be null."""

    schema: Any


@dataclass(frozen=True)
class Each:
    """A mapping whose values all have the same schema."""

    schema: Any


# A schema is a type, several types, a list with the schema of its items, or a mapping from keys to
# schemas.
_NUMBER = (int, float)
_TEXTS = {"en": str, "zh": str}
_CHANCE = dict.fromkeys(("top1", "top3", "top5", "mrr", "ndcg10", "mean_rank"), _NUMBER)
# The metrics of a ranking. Top-k is a metric for each k.
METRICS = tuple(_CHANCE)
_METRICS = {**_CHANCE, "ties": _NUMBER, "num_queries": int, "chance": _CHANCE}
_INTERVALS = Each({"value": _NUMBER, "low": _NUMBER, "high": _NUMBER})
_BASELINE = {
    **_METRICS,
    "intervals": _INTERVALS,
    "model": Maybe(str),
    "embedding_dim": Maybe(int),
    "statistics": Maybe(dict),
}
# By source, the ranks before and after, and those of the baselines.
_RANKS = Each(Each(Maybe(_NUMBER)))
_TEXTS_SEEN = {
    **dict.fromkeys(("texts", "counted", "max_length", "cut", "tokens"), int),
    "lost_share": _NUMBER,
    "unknown_share": _NUMBER,
}
_FILE = {"path": str, "sha256": str}
_CANDIDATE = {
    "name": str,
    "kind": str,
    "epoch": Maybe(_NUMBER),
    "step": Maybe(int),
    "alpha": Maybe(_NUMBER),
}

SCHEMAS: Mapping[str, Any] = {
    "run.json": {
        "stages": Maybe(Each({"seconds": _NUMBER, "made_from": dict})),
        "begun": Maybe([str]),
        "replaced": Maybe(str),
        "replaced_by": Maybe([str]),
        "working": Maybe({"stages": Maybe([str])}),
        "files": Maybe(Each({"sha256": str, "size": int, "modified": Maybe(int)})),
        "texts": Maybe({"questions": _TEXTS_SEEN, "chunks": _TEXTS_SEEN}),
        "data": Maybe(
            {"files": Maybe(Each({"path": str, "sha256": str})), "rejected": Maybe(dict)}
        ),
        "split": Maybe({"by": str}),
        "teacher": Maybe(
            {
                **dict.fromkeys(("name", "kind", "sha256"), str),
                **dict.fromkeys(("questions", "pairs", "one_score"), int),
                "top1": _NUMBER,
                "made_from": dict,
            }
        ),
        "shipped": Maybe(
            {
                **_CANDIDATE,
                "reason": Maybe(_TEXTS),
                "candidates": [{**_CANDIDATE, "dev_value": Maybe(_NUMBER)}],
            }
        ),
    },
    "mining_summary.json": {
        "metrics": Maybe(_METRICS),
        "source": Maybe(str),
        "corpus": Maybe({"chunks": int, **dict.fromkeys(("top1", "top3", "top5"), _NUMBER)}),
        "pairs": Maybe(dict),
        "num_hard": Maybe(int),
        "num_below_topk": Maybe(int),
        "num_samples": Maybe(int),
        "hard_share": Maybe(_NUMBER),
        "topk": Maybe(int),
    },
    "evaluation_results.json": [
        {
            "qa_id": (str, int),
            "question": str,
            "similarities": Each(_NUMBER),
            "consistency_metrics": {"expected_rank": Maybe(_NUMBER)},
        }
    ],
    "comparison.json": {
        "sets": [
            {
                "name": str,
                "source": str,
                "held_out": bool,
                "num_queries": int,
                "seen_in_training": Maybe(int),
                "left_out": Maybe(Each(int)),
                "before": _METRICS,
                "after": _METRICS,
                "baselines": Maybe(Each(_BASELINE)),
                "statistics": Maybe(dict),
            }
        ],
        "verdict": Maybe({"word": str, "text": _TEXTS}),
        "models": Maybe([str]),
        "embedding_dim": Maybe(int),
    },
    "teacher_scores.jsonl": [{"qa_id": str, "chunk_ids": [str], "scores": [_NUMBER]}],
    "training_log.jsonl": [
        {
            "epoch": _NUMBER,
            "step": Maybe(int),
            "loss": Maybe(_NUMBER),
            "dev": _METRICS,
            "seconds": _NUMBER,
            "train_examples": int,
            "round": Maybe(int),
            "new_negatives": Maybe(int),
        }
    ],
    "per_question.jsonl": [
        {
            "qa_id": (str, int),
            "question": str,
            "set": Maybe(str),
            "ranks": _RANKS,
            "metrics": Maybe(Each(Each(Each(_NUMBER)))),
            "change": str,
        }
    ],
    "constructed_data.jsonl": [
        {
            "qa_id": (str, int),
            "question": str,
            "ground_truth_contexts": [str],
            "negative_contexts": [str],
        }
    ],
    "audit.json": {"checks": [{"meaning": _TEXTS, "count": int}]},
    "check.json": {"advice": {"rule": str, "text": _TEXTS}, "rankings": dict},
    "chosen.json": {"made_from": dict, "name": str, "dev_value": Maybe(_NUMBER)},
    "sweep_plan.json": {
        "budget": _NUMBER,
        "made_from": str,
        "apart": _NUMBER,
        "estimate": {
            "costs": Each([{"training": _NUMBER, "other": _NUMBER}]),
            **dict.fromkeys(("once", "jobs", "training", "other"), _NUMBER),
        },
        "rungs": [{"level": int, "questions": int, "trials": int, "seconds": _NUMBER}],
        "trials": [str],
        "left_out": Each(str),
        "added": Maybe([str]),
        "decisions": [
            {"kept": [str], "dropped": Each(dict), "training": _NUMBER, "other": _NUMBER}
        ],
    },
    "split.json": {
        **{side: Maybe([str]) for side in ("train", "dev", "test", "trained_on")},
        "seen_chunks": Maybe(Each([str])),
    },
}
SCHEMAS = {**SCHEMAS, "evaluation_after_training.json": SCHEMAS["evaluation_results.json"]}

_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false",
          dict: "an object", list: "an array"}  # fmt: skip


def check_schema(path: str | os.PathLike[str], value: Any) -> None:
    """Check the contents of a file against the schema of its name, if there is one.

    Raises:
        BadInputError: the contents do not fit. The message says in which file and where, and what
            to do.
    """
    schema = SCHEMAS.get(Path(path).name)
    if schema is not None and (wrong := _wrong(value, schema, "")):
        raise damaged(path, wrong)


def damaged(path: str | os.PathLike[str], what: str) -> BadInputError:
    """Return the error for a damaged file of the run folder.

    Args:
        path: the file.
        what: what is wrong with it.
    """
    remedy = "Make it anew, with the command that made it and --overwrite"
    if Path(path).name == "run.json":
        # Without this file no command knows which files it may replace.
        remedy = "Restore it, or give another --output-dir"
    return BadInputError(f"{path}: not as stage2 wrote it: {what}. {remedy}")


def _wrong(value: Any, schema: Any, place: str) -> str:
    """Describe the first part that does not fit, with its place. Return "" if everything fits."""
    if isinstance(schema, Maybe):
        return "" if value is None else _wrong(value, schema.schema, place)
    if isinstance(schema, (type, tuple)):
        return _wrong_type(value, schema, place)
    parts: list[tuple[str, Any, Any]]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return _wrong_type(value, list, place)
        parts = [(f"{place}[{i}]", item, schema[0]) for i, item in enumerate(value)]
    elif not isinstance(value, dict):
        return _wrong_type(value, dict, place)
    elif isinstance(schema, Each):
        parts = [(_joined(place, key), item, schema.schema) for key, item in value.items()]
    else:
        absent = [k for k, s in schema.items() if k not in value and not isinstance(s, Maybe)]
        if absent:
            return f"{_joined(place, absent[0])} is missing"
        parts = [(_joined(place, k), value.get(k), s) for k, s in schema.items()]
    return next((found for where, item, s in parts if (found := _wrong(item, s, where))), "")


def _wrong_type(value: Any, kinds: type | tuple[type, ...], place: str) -> str:
    accepted = kinds if isinstance(kinds, tuple) else (kinds,)
    if isinstance(value, accepted) and (not isinstance(value, bool) or bool in accepted):
        return ""
    expected = " or ".join(dict.fromkeys(_KINDS[kind] for kind in accepted))
    return f"{place or 'it'} is {value!r:.60}; expected {expected}"


def _joined(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
