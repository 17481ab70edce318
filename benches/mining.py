"""Measure what each kind of negatives does to held-out questions.

    python -m benches.mining [--precision bf16] [--only medquad] [--splits 1] [--seeds 1]

The data, the splits and the model are those of `benches.defaults`, and so are the runs of the first
row, which are made once for both. Each row of the table is a recipe: the defaults, and the same
with listed negatives of another origin. A recipe reads the training side alone, so that it knows of
no question that is held out, as nobody knows what will be asked.

Finished cells are kept in benches/mining.jsonl and not made again. The table is printed, and
written to docs/how-to/hard-negatives.md when both data sets are whole.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benches import defaults, report
from benches.defaults import DATA, ROOT, UNTOUCHED, Data, Options, Row
from stage2.utils import files

DOCUMENT = ROOT / "docs" / "how-to" / "hard-negatives.md"
CELLS = ROOT / "benches" / "mining.jsonl"
MARKERS = "<!-- mining -->\n", "<!-- /mining -->"

_LISTED = ("--loss", "infonce")
_MINED = (*_LISTED, "--source", "corpus", "--relative-margin", "0.05", "--negatives")
_BM25 = ("--second-source", "bm25")

# By its name the flags of each recipe. All but the first have the defaults beside these.
RECIPES: Mapping[str, tuple[str, ...]] = {
    "in-batch alone": (),
    # With two candidates no ground truth is below the top 3, the default.
    "1 random": (*_LISTED, "--negatives", "1", "--topk", "1"),
    "1 of the model": (*_MINED, "1"),
    "1 of the model, 2 rounds": (*_MINED, "1", "--rounds", "2"),
    "1 of BM25": (*_MINED, "1", *_BM25, "--second-share", "1"),
    "1 of the model, 1 of BM25": (*_MINED, "2", *_BM25),
}
FIRST = next(iter(RECIPES))


def main() -> None:
    """Make the missing cells, and write the table of all."""
    parser = defaults.parser_of("mining", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "defaults")
    parser.add_argument("--only", choices=tuple(DATA), help="one data set")
    parser.add_argument("--recipe", choices=tuple(RECIPES), help="one recipe")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, help="passages of each, to try the script")
    parser.add_argument("--model", type=Path, help="a folder to start from, to try the script")
    given = parser.parse_args()
    # Cells of a part of the data, or of another model, are kept apart from those of the table.
    tried = given.limit is not None or given.model is not None
    work = given.work / f"limit-{given.limit}" if tried else given.work
    options = Options(work, given.precision, (), model=given.model)
    log = work / CELLS.name if tried else CELLS
    names = [given.only] if given.only else list(DATA)
    recipes = [given.recipe] if given.recipe else list(RECIPES)
    wanted = [DATA[name](given.data, given.splits, given.limit) for name in names]
    cells = files.read_jsonl(log) if log.is_file() else []
    for data in wanted:
        for split in range(given.splits):
            for seed in range(given.seeds):
                for method in (UNTOUCHED, *recipes):
                    _add(cells, log, (data, split, seed), method, options)
    keys = {method: _options(method, options).key for method in (UNTOUCHED, *RECIPES)}
    chosen = [cell for cell in cells if cell["key"] == keys.get(cell["method"])]
    text = document(wanted, chosen, options)
    print(text)
    if not tried and not given.only and is_whole(wanted, chosen, given.seeds):
        defaults.write_between(MARKERS, text, DOCUMENT)


def _options(method: str, options: Options) -> Options:
    """Return the options of a recipe; the untouched model has those of the defaults."""
    return replace(options, flags=RECIPES.get(method, ()))


def _add(
    cells: list[Row], log: Path, place: tuple[Data, int, int], method: str, options: Options
) -> None:
    """Make a cell and write it to the log, if it is not there."""
    data, split, seed = place
    own = _options(method, options)
    known = {
        "data": data.name, "split": split, "seed": seed, "key": own.key, "method": method,
    }  # fmt: skip
    if any(known.items() <= cell.items() for cell in cells):
        return
    start = time.perf_counter()
    if method == UNTOUCHED:
        found: Row = dict(defaults.untouched_measures(data, split, own))
    else:
        found = defaults.our_cell(data, split, seed, own)
    cells.append(known | found | {"seconds": time.perf_counter() - start})
    files.write_jsonl(log, cells)
    defaults.tell(cells[-1])


def is_whole(data: Sequence[Data], cells: Sequence[Row], seeds: int) -> bool:
    """Return whether every recipe has been measured everywhere."""
    done = {(cell["data"], cell["split"], cell["seed"], cell["method"]) for cell in cells}
    return all(
        (one.name, split, seed, method) in done
        for one in data
        for split in range(len(one.tests))
        for seed in range(seeds)
        for method in (UNTOUCHED, *RECIPES)
    )


def document(data: Sequence[Data], cells: Sequence[Row], options: Options) -> str:
    """Write a table for each data set as Markdown."""
    parts = [f"{options.start}; precision {options.precision}. MRR held out.\n"]
    for one in data:
        own = [cell for cell in cells if cell["data"] == one.name]
        parts.append(f"### {one.name}\n\n{table(own)}\n")
    return "\n".join(parts)


def table(cells: Sequence[Row]) -> str:
    """Write a row for each recipe: its MRR in each experiment, and what it has over the first.

    A recipe is compared with the first in the experiments that both have.
    """
    places = sorted({(cell["split"], cell["seed"]) for cell in cells})
    found = {(cell["method"], cell["split"], cell["seed"]): cell["rr"] for cell in cells}
    rows = []
    for method in (UNTOUCHED, *RECIPES):
        ranks = [found.get((method, *place)) for place in places]
        both = [place for place in places if {(method, *place), (FIRST, *place)} <= found.keys()]
        change = p = "–"
        if both and method != FIRST:
            after, before = (
                np.concatenate([found[(name, *place)] for place in both])
                for name in (method, FIRST)
            )
            change = f"{after.mean() - before.mean():+.4f}"
            p = defaults.probability(defaults.flip_test(after, before))
        known = [rank for rank in ranks if rank is not None]
        mean = f"**{np.mean(np.concatenate(known)):.4f}**" if known else "–"
        each = ("–" if rank is None else f"{np.mean(rank):.4f}" for rank in ranks)
        flags = f"`{' '.join(RECIPES[method])}`" if RECIPES.get(method) else ""
        rows.append((method, flags, *each, mean, change, p))
    split = (f"split {split}, seed {seed}" for split, seed in places)
    header = ("negatives", "flags", *split, "all", f"over {FIRST}", "p")
    return report.table(header, rows)


if __name__ == "__main__":
    main()
