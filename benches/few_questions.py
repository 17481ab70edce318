"""The held-out quality of `stage2 run` where questions are few, beside a tuned peer.

    python -m benches.few_questions [--precision bf16]

50, 100 and 200 questions are drawn from the training side of each split of XQuAD and MedQuAD. The
model is all-MiniLM-L6-v2 as it is. The peer, sentence-transformers' MultipleNegativesRankingLoss,
trains on the same questions by each recipe of a grid, and its best one counts for each data set and
size, chosen by the questions held out: that is kind to it. Finished cells are kept in
benches/few_questions.jsonl. The table is written to docs/defaults.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benches import report
from benches.data_sets import DATA, Data, Row
from benches.defaults import (
    OURS,
    ROOT,
    UNTOUCHED,
    Options,
    flip_test,
    mean,
    our_cell,
    parser_of,
    peer_measures,
    tell,
    untouched_measures,
    write_between,
)
from stage2.utils import files
from stage2.utils.device import resolve_precision

SIZES = (50, 100, 200)
CELLS = ROOT / "benches" / "few_questions.jsonl"
MARKERS = "<!-- few -->\n", "<!-- /few -->"
# What is tried for the peer: epochs, questions a step, learning rate.
GRID: Mapping[str, tuple[int, int, float]] = {
    "2 epochs, 64, 1e-4": (2, 64, 1e-4),
    "10 epochs, 64, 1e-4": (10, 64, 1e-4),
    "5 epochs, 8, 1e-4": (5, 8, 1e-4),
    "5 epochs, 16, 5e-5": (5, 16, 5e-5),
}


def drawn(data: Data, split: int, size: int, seed: int) -> Data:
    """Return a data set that trains on so many questions of a side, and holds out the other side.

    A larger draw has the questions of the smaller ones.
    """
    test = data.tests[split]
    out = set(test)
    side = [i for i in range(len(data.queries)) if i not in out]
    kept = np.random.default_rng([split, seed]).permutation(side)[:size].tolist()
    rows = [*sorted(kept), *test]
    return Data(
        f"{data.name}, {size} of split {split}, draw {seed}",
        [data.queries[i] for i in rows],
        data.corpus,
        [data.truths[i] for i in rows],
        [[*range(size, len(rows))]],
    )


def peer_cell(data: Data, seed: int, options: Options, recipe: tuple[int, int, float]) -> Row:
    """Train the peer by one recipe of the grid, and measure its last epoch."""
    from benches import sentence_peers

    epochs, batch_size, rate = recipe
    bf16 = resolve_precision(options.precision, torch.device("cpu")) == torch.bfloat16
    settings = sentence_peers.Recipe(epochs, batch_size, rate, seed, bf16)
    return dict(peer_measures(data, 0, options, settings))


def add(
    cells: list[Row], log: Path, data: Data, place: Mapping[str, object], options: Options
) -> None:
    """Make the missing cells of one draw, and keep each as it is made."""
    done = {cell["method"] for cell in cells if place.items() <= cell.items()}
    seed = int(str(place["seed"]))
    methods: dict[str, Callable[[], Row]] = {
        UNTOUCHED: lambda: dict(untouched_measures(data, 0, options)),
        OURS: lambda: our_cell(data, 0, seed, options),
    }
    for name, recipe in GRID.items():
        methods[name] = partial(peer_cell, data, seed, options, recipe)
    for method, make in methods.items():
        if method not in done:
            start = time.perf_counter()
            found = make()
            seconds = time.perf_counter() - start
            cells.append({**place, "method": method, **found, "seconds": seconds})
            files.write_jsonl(log, cells)
            tell(cells[-1])


def table(cells: Sequence[Row]) -> str:
    """Write the means of each data set and size, and how often ours differs significantly."""
    rows = []
    for name, size in dict.fromkeys((cell["data"], cell["size"]) for cell in cells):
        own = [cell for cell in cells if (cell["data"], cell["size"]) == (name, size)]
        best = max(GRID, key=lambda method: mean(own, method, "ndcg10"))
        found = {(cell["split"], cell["seed"], cell["method"]): cell["rr"] for cell in own}
        draws = dict.fromkeys((cell["split"], cell["seed"]) for cell in own)
        changes = [
            np.mean(found[(*draw, OURS)]) - np.mean(found[(*draw, UNTOUCHED)])
            for draw in draws
            if flip_test(found[(*draw, OURS)], found[(*draw, UNTOUCHED)]) < 0.05
        ]
        better, worse = sum(one > 0 for one in changes), sum(one < 0 for one in changes)
        rows.append((
            name, str(size), str(len(draws)),
            *(f"{mean(own, method):.4f}, {mean(own, method, 'ndcg10'):.4f}"
              for method in (UNTOUCHED, OURS, best)),
            best, f"{better}, {worse}",
        ))  # fmt: skip
    header = ("data", "questions", "draws", UNTOUCHED, OURS, "peer", "its recipe", "better, worse")
    return report.table(header, rows)


def main() -> None:
    """Make the missing cells, and write the table of all."""
    parser = parser_of("few_questions", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "few")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    options = Options(given.work, given.precision, ())
    cells = files.read_jsonl(CELLS) if CELLS.is_file() else []
    for seed in range(given.seeds):
        for split in range(given.splits):
            for load in DATA.values():
                data = load(given.data, given.splits, None)
                for size in SIZES:
                    place = {"data": data.name, "size": size, "split": split, "seed": seed,
                             "key": options.key}  # fmt: skip
                    add(cells, CELLS, drawn(data, split, size, seed), place, options)
    text = table([cell for cell in cells if cell["key"] == options.key])
    print(text)
    write_between(MARKERS, text + "\n")


if __name__ == "__main__":
    main()
