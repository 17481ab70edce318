"""Measure what every part of a recipe does to held-out questions, with the peers beside it.

    python -m benches.recipes [--precision bf16] [--only medquad] [--part negatives] [--splits 1]

The splits and the model are those of `benches.defaults`, and so are the runs of the first row,
which are made once for both. Each row of the table is a recipe: the defaults with other flags, or a
peer. A run reads the training side alone, so that it knows of no question that is held out, as
nobody knows what will be asked.

A peer is tuned first, for each data set: it is trained with each setting of GRID on the training
side of a split that no table has, and the setting with the best nDCG@10 on the questions that this
split holds out is used in the table. stage2 has its defaults everywhere.

Finished cells are kept in benches/recipes.jsonl and not made again. The table is printed, and
written to docs/recipes.md when all three data sets are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benches import data_sets, defaults, report
from benches import sentence_peers as peers
from benches.data_sets import DATA, Data, Row
from benches.defaults import ROOT, UNTOUCHED, Options
from stage2.data.sample.build import write_sample
from stage2.utils import files
from stage2.utils.device import resolve_precision

DOCUMENT = ROOT / "docs" / "recipes.md"
CELLS = ROOT / "benches" / "recipes.jsonl"
MARKERS = "<!-- recipes -->\n", "<!-- /recipes -->"

# No table has this split. The defaults were tried on it too.
TUNING = 7
# The settings that peers are tuned over, with 64 questions a step.
BATCH = 64
GRID: Sequence[Mapping[str, Any]] = [
    {"learning_rate": rate, "epochs": epochs} for rate, epochs in product((3e-5, 1e-4), (2, 4))
]

_LISTED = ("--loss", "infonce")
_MINED = (*_LISTED, "--source", "corpus", "--relative-margin", "0.05", "--negatives")
_BM25 = ("--second-source", "bm25")
# With two candidates no ground truth is below the top 3, the default.
_ONE = ("--negatives", "1", "--topk", "1")


@dataclass(frozen=True)
class Peer:
    """A loss of sentence-transformers; `mined`: with a negative of `mine_hard_negatives`."""

    loss: str
    mined: bool = False


Flags = tuple[str, ...]
# The recipes of each part, by their names: flags of `stage2 run`, or a peer.
PARTS: Mapping[str, Mapping[str, Flags | Peer]] = {
    "defaults": {"defaults": ()},
    "loss": {
        "infonce, 1 random negative": (*_LISTED, *_ONE),
        "margin, 5 random negatives": ("--loss", "margin"),
        "triplet, 5 random negatives": ("--loss", "triplet"),
        "listnet, 5 random negatives": ("--loss", "listnet"),
    },
    "batches": {
        "questions of a batch at random": ("--batches", "random"),
        "batches of 32": ("--batch-size", "32"),
        "guide, margin 0.05": ("--guide-margin", "0.05"),
    },
    "course": {
        "4 epochs": ("--epochs", "4"),
        "rate 3e-5": ("--learning-rate", "3e-5"),
        "all of the way": ("--interpolation", "1"),
        "rate 3e-5, all of the way": ("--learning-rate", "3e-5", "--interpolation", "1"),
        "5 epochs, batches of 8": ("--epochs", "5", "--batch-size", "8"),
        "chunks cut at 128 tokens": ("--document-max-length", "128"),
    },
    "negatives": {
        "1 of the model": (*_MINED, "1"),
        "1 of the model, 2 rounds": (*_MINED, "1", "--rounds", "2"),
        "1 of BM25": (*_MINED, "1", *_BM25, "--second-share", "1"),
        "1 of the model, 1 of BM25": (*_MINED, "2", *_BM25),
    },
    "choice": {
        "the best on dev, not refitted": ("--no-refit",),
    },
    "peers": {
        peers.MNRL: Peer(peers.MNRL),
        "CachedMultipleNegativesRankingLoss": Peer("CachedMultipleNegativesRankingLoss"),
        "GISTEmbedLoss": Peer("GISTEmbedLoss"),
        "MultipleNegativesRankingLoss, mine_hard_negatives": Peer(peers.MNRL, mined=True),
    },
}  # fmt: skip
FIRST = "defaults"
RECIPES: Mapping[str, Flags | Peer] = {
    name: recipe for part in PARTS.values() for name, recipe in part.items()
}


def sample(folder: Path, splits: int, limit: int | None) -> Data:
    """Load the built-in sample. It is written beside the cells, whatever `folder` has."""
    paths = write_sample(folder / "sample")
    corpus = [
        {"_id": row["chunk_id"], "text": row["text"]} for row in files.read_jsonl(paths.chunks)
    ][:limit]
    place = {row["_id"]: i for i, row in enumerate(corpus)}
    asked = [row for row in files.read_json(paths.qa) if row["chunk_id"] in place]
    queries = [{"_id": row["qa_id"], "text": row["question"]} for row in asked]
    truths = [[place[row["chunk_id"]]] for row in asked]
    return Data("sample", queries, corpus, truths, data_sets.held_out(truths, splits))


def main() -> None:
    """Make the missing cells, and write the table of all."""
    parser = defaults.parser_of("recipes", __doc__)
    names = (*DATA, "sample")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "defaults")
    parser.add_argument("--only", choices=names, help="one data set")
    parser.add_argument("--part", choices=tuple(PARTS), help="the recipes of one part")
    parser.add_argument("--recipe", choices=tuple(RECIPES), help="one recipe")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="passages of each, to try the script")
    parser.add_argument("--model", type=Path, help="a folder to start from, to try the script")
    given = parser.parse_args()
    # Cells of a part of the data, or of another model, are kept apart from those of the table.
    tried = given.limit is not None or given.model is not None
    work = given.work / f"limit-{given.limit}" if tried else given.work
    cells = Cells(work / CELLS.name if tried else CELLS)
    options = Options(work, given.precision, (), model=given.model)
    asked = [given.only] if given.only else names
    data = [load(name, given.data, work, given.limit) for name in asked]
    recipes = [given.recipe] if given.recipe else list(PARTS[given.part] if given.part else RECIPES)
    for seed, one, split in product(range(given.seeds), data, range(given.splits)):
        for name in (UNTOUCHED, *recipes):
            add(cells, (one, split, seed), name, options)
    text = document(data, cells.rows, options)
    print(text)
    if not tried and not given.only:
        defaults.write_between(MARKERS, text, DOCUMENT)


def load(name: str, folder: Path, work: Path, limit: int | None) -> Data:
    """Load a data set with the splits of the table, and that of the tuning after them."""
    if name == "sample":
        return sample(work, TUNING + 1, limit)
    return DATA[name](folder, TUNING + 1, limit)


class Cells:
    """The finished cells, as a file keeps them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.rows: list[Row] = files.read_jsonl(log) if log.is_file() else []

    def find(self, known: Row) -> Row | None:
        """Return the cell that has all these values."""
        return next((row for row in self.rows if known.items() <= row.items()), None)

    def made(self, known: Row, make: Callable[[], Row]) -> Row:
        """Return the cell that has these values. It is made and kept if it is not there."""
        found = self.find(known)
        if found is None:
            start = time.perf_counter()
            found = known | make()
            found["seconds"] = round(time.perf_counter() - start, 1)
            self.rows.append(found)
            files.write_jsonl(self.log, self.rows)
            defaults.tell(found)
        return found


def add(cells: Cells, place: tuple[Data, int, int], name: str, options: Options) -> None:
    """Make the cell of a recipe in one experiment, if it is not there."""
    data, split, seed = place
    recipe = () if name == UNTOUCHED else RECIPES[name]
    if isinstance(recipe, Peer):
        known = place_of(data, split, seed, name, options) | tuned(cells, data, name, options)
        cells.made(known, lambda: peer_cell(data, split, known, recipe, options))
        return
    own = replace(options, flags=recipe)
    known = place_of(data, split, seed, name, own)
    if name == UNTOUCHED:
        cells.made(known, lambda: dict(defaults.untouched_measures(data, split, own)))
    else:
        cells.made(known, lambda: defaults.our_cell(data, split, seed, own))


def place_of(data: Data, split: int, seed: int, name: str, options: Options) -> Row:
    """Return the values by which a cell is found."""
    return {
        "data": data.name, "split": split, "seed": seed, "key": options.key, "method": name,
    }  # fmt: skip


def tuned(cells: Cells, data: Data, name: str, options: Options) -> Row:
    """Return the setting of GRID with which a peer is best on the split for tuning."""
    peer = RECIPES[name]
    assert isinstance(peer, Peer)

    def value(setting: Mapping[str, Any]) -> float:
        known = place_of(data, TUNING, 0, name, options) | dict(setting)
        cell = cells.made(known, lambda: peer_cell(data, TUNING, known, peer, options))
        return float(np.mean(cell["ndcg10"]))

    # The first of equal settings is taken.
    return dict(max(GRID, key=value))


def peer_cell(data: Data, split: int, known: Row, peer: Peer, options: Options) -> Row:
    """Train a peer with the setting and the seed of a cell, and measure it."""
    recipe = peers.Recipe(
        epochs=known["epochs"],
        batch_size=BATCH,
        learning_rate=known["learning_rate"],
        seed=known["seed"],
        bf16=resolve_precision(options.precision, torch.device("cpu")) == torch.bfloat16,
        loss=peer.loss,
    )
    return dict(defaults.peer_measures(data, split, options, recipe, peer.mined))


def document(data: Sequence[Data], cells: Sequence[Row], options: Options) -> str:
    """Write a table for each data set as Markdown."""
    keys = {
        options.key,
        *(replace(options, flags=flags).key for flags in RECIPES.values()
          if not isinstance(flags, Peer)),
    }  # fmt: skip
    parts = [f"{options.start}; precision {options.precision}.\n"]
    for one in data:
        own = [cell for cell in cells if cell["data"] == one.name and cell["key"] in keys]
        parts.append(f"### {one.name}\n\n{table(one, own)}\n")
    return "\n".join(parts)


def table(data: Data, cells: Sequence[Row]) -> str:
    """Write a row for each recipe that has a cell.

    A recipe is compared with the defaults in the experiments that both have.
    """
    rows = []
    for name in (UNTOUCHED, *RECIPES):
        own = [cell for cell in cells if cell["method"] == name and cell["split"] != TUNING]
        if not own:
            continue
        change = "–"
        if name != FIRST and len(found := differences(data, cells, name)):
            half = 1.96 * found.std(ddof=1) / len(found) ** 0.5
            change = f"{found.mean():+.4f} ± {half:.4f}"
        first = own[0]
        setting = (
            f"rate {first['learning_rate']:g}, {first['epochs']} epochs"
            if "learning_rate" in first
            else f"`{' '.join(flags)}`"
            if (flags := flags_of(name))
            else ""
        )
        rows.append((
            name, setting, str(len(own)), f"{defaults.mean(own, name):.4f}",
            f"{defaults.mean(own, name, 'ndcg10'):.4f}", change,
            f"{np.mean([cell['seconds'] for cell in own]):.0f} s",
        ))  # fmt: skip
    header = ("recipe", "flags", "cells", "MRR", "nDCG@10", f"nDCG@10 over the {FIRST}", "time")
    return report.table(header, rows)


def flags_of(name: str) -> Flags:
    """Return the flags of a recipe, which a peer and the untouched model have not."""
    recipe = RECIPES.get(name, ())
    return () if isinstance(recipe, Peer) else recipe


def differences(data: Data, cells: Sequence[Row], name: str) -> np.ndarray[Any, Any]:
    """Return what a recipe changes in the nDCG@10 of each question, against the defaults.

    A question that several experiments hold out counts once, by the mean of its changes, so that
    an interval of the result is one over questions.
    """
    found: dict[int, list[float]] = {}
    for query, change in _changes(data, cells, name):
        found.setdefault(query, []).append(change)
    return np.array([np.mean(changes) for changes in found.values()])


def _changes(data: Data, cells: Sequence[Row], name: str) -> Iterator[tuple[int, float]]:
    by_place = {(cell["method"], cell["split"], cell["seed"]): cell for cell in cells}
    for (method, split, seed), cell in by_place.items():
        first = by_place.get((FIRST, split, seed))
        if method == name and first is not None and split != TUNING:
            changes = np.subtract(cell["ndcg10"], first["ndcg10"]).tolist()
            yield from zip(data.tests[split], changes, strict=True)


if __name__ == "__main__":
    main()
