"""The list of modules in a folder of sentence-transformers, checked before any is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular

MODULES = "modules.json"
PACKAGE = "sentence_transformers."

# The modules of the library that stage2 can train, by the last part of the name of their class.
TRANSFORMER, POOLING, STATIC = "Transformer", "Pooling", "StaticEmbedding"
LAYERS, WORDS = "WeightedLayerPooling", "WordEmbeddings"
# This module stands right before `POOLING`.
WEIGHTS = "WordWeights"
# These modules stand right after `WORDS`.
OVER_WORDS = ("LSTM", "CNN")
KNOWN = (
    *(TRANSFORMER, STATIC, WORDS, *OVER_WORDS, LAYERS, WEIGHTS, POOLING),
    *("Dense", "Normalize", "LayerNorm", "Dropout"),
)
# Why other modules of the library are not trained.
_WHY_NOT: Mapping[str, str] = {
    "BoW": "its vectors are counts of words, without a weight that could be trained",
    "CLIPModel": "it embeds images too, and trained on texts alone they would part",
}
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Module:
    """A row of `modules.json`.

    Attributes:
        kind: the last part of the name of its class.
        folder: the folder of its files.
    """

    kind: str
    folder: Path


def read_modules(root: Path) -> list[Module]:
    """Return the modules of a folder of sentence-transformers, in order.

    Raises:
        BadInputError: `modules.json` is damaged, names code of the model's own, or lists modules
            that stage2 cannot train in this order.
    """
    path = root / MODULES
    found = [
        module_of(root, path, str(number), row["type"], row.get("path", ""))
        for number, row in enumerate(read_rows(path))
    ]
    check_order(found, path)
    return found


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a `modules.json`, each with a type and perhaps a path.

    Raises:
        BadInputError: it is damaged.
    """
    rows = read_json(path)
    if not isinstance(rows, list) or not all(
        isinstance(row, dict)
        and isinstance(row.get("type"), str)
        and isinstance(row.get("path", ""), str)
        for row in rows
    ):
        raise BadInputError(f"{path}: expected a list of modules, each with its type and its path")
    return rows


def module_of(root: Path, path: Path, name: str, kind: str, place: str) -> Module:
    """Return a module of a folder after a check of its class and of its place.

    Args:
        root: the folder of the model.
        path: the file that names the module, for messages.
        name: the name or the number of the module in that file.
        kind: the full name of its class.
        place: its place in the folder.

    Raises:
        BadInputError: it is code of the model's own, it is not trained here, or it lies elsewhere.
    """
    if not kind.startswith(PACKAGE):
        raise BadInputError(
            f"{path}: module {name} is {kind}, which is code of the model's own, and that is "
            f"never run; expected modules of sentence-transformers: {', '.join(KNOWN)}"
        )
    last = kind.rsplit(".", 1)[-1]
    if last not in KNOWN:
        why = f" ({_WHY_NOT[last]})" if last in _WHY_NOT else ""
        raise BadInputError(
            f"{path}: module {name} is {last}{why}; stage2 trains models of {', '.join(KNOWN)}"
        )
    return Module(last, inside(root, path, name, place))


def inside(root: Path, path: Path, name: str, place: str) -> Path:
    """Return the folder of a module after a check that it lies in the folder of the model.

    Raises:
        BadInputError: it lies elsewhere. The message names `path` and the module.
    """
    folder = (root / place).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise BadInputError(f"{path}: module {name} lies outside the folder: {place}")
    return folder


def check_order(modules: Sequence[Module], path: Path) -> None:
    """Check that modules are in an order in which stage2 can train them.

    They are a transformer with one pooling; a table of vectors of tokens without one; or a table of
    vectors of words, recurrent and convolutional modules right after it if there are any, and one
    pooling. Others may stand around the pooling, but the mean over layers only right after the
    transformer, and weights of words only right before the pooling.

    Raises:
        BadInputError: they are not. The message names `path`.
    """
    kinds = [module.kind for module in modules]
    counted = [kinds.count(kind) for kind in (TRANSFORMER, STATIC, WORDS, POOLING, LAYERS)]
    over = sum(kind in OVER_WORDS for kind in kinds)
    right_after = len(list(takewhile(OVER_WORDS.__contains__, kinds[1:])))
    layers = kinds[1:2].count(LAYERS)
    weights = [one for one, after in pairwise(kinds) if one == WEIGHTS and after == POOLING]
    good = {
        TRANSFORMER: ([1, 0, 0, 1, layers], 0),
        STATIC: ([0, 1, 0, 0, 0], 0),
        WORDS: ([0, 0, 1, 1, 0], right_after),
    }
    misplaced = kinds.count(WEIGHTS) != len(weights)
    if not kinds or misplaced or (counted, over) != good.get(kinds[0]):
        raise BadInputError(
            f"{path}: its modules are {', '.join(kinds) or 'none'}; expected a {TRANSFORMER}, and "
            f"after it one {POOLING}; a {STATIC} without one; or {WORDS}, right after it "
            f"{' or '.join(OVER_WORDS)} if any, and one {POOLING}; and {WEIGHTS} only right before "
            "that"
        )


def read_json(path: Path) -> Any:
    """Read a file of JSON with a few lines.

    Raises:
        BadInputError: it is missing, damaged or large.
    """
    check_regular(path)
    data = path.read_bytes()
    if len(data) > _MOST_BYTES:
        raise BadInputError(f"{path}: {len(data):,} bytes; expected a file of a few lines")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: is no JSON: {error}") from error
