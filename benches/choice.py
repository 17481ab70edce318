"""Measure how much the choice loses against the candidate that is best in hindsight.

    python -m benches.choice --precision bf16

It reads the cells of `benches.defaults` with the defaults, and the folders of their runs. The
epochs that a run kept are measured on the questions that its split holds out, and so are parts of
the way to the best epoch where no epoch is better on dev than the untouched model. Two rules are
compared: the best on dev is shipped as it is; and what `stage2 run` shipped, refitted. What is
measured is kept in benches/choice.jsonl. The table is printed, and written to docs/defaults.md when
all cells are there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

import stage2
from benches import report
from benches.data_sets import DATA, Data, Row
from benches.defaults import CELLS as DEFAULTS
from benches.defaults import (
    OURS,
    ROOT,
    UNTOUCHED,
    WRITTEN,
    Options,
    measures_with,
    parser_of,
    run_folder,
    start,
    write_between,
)
from stage2.training.interpolation import interpolate
from stage2.training.model_selection import ALPHAS
from stage2.utils import files
from stage2.utils.tensors import read_state_dict

CELLS = ROOT / "benches" / "choice.jsonl"
MARKERS = "<!-- choice -->\n", "<!-- /choice -->"


def main() -> None:
    """Measure the candidates that are not measured yet, and write the table."""
    parser = parser_of("choice", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "defaults")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    given = parser.parse_args()
    options = Options(given.work, given.precision, ())
    cells = files.read_jsonl(CELLS) if CELLS.is_file() else []
    runs = [row for row in files.read_jsonl(DEFAULTS) if row["key"] == options.key]
    for load in DATA.values():
        data = load(given.data, WRITTEN, None)
        for run in runs:
            place = {name: run[name] for name in ("data", "split", "seed", "key")}
            done = any(place.items() <= cell.items() for cell in cells)
            if run["data"] == data.name and run["method"] == OURS and not done:
                for found in candidates(data, run["split"], run["seed"], options):
                    print(*place.values(), *found.values(), file=sys.stderr, flush=True)
                    cells.append(place | found)
                files.write_jsonl(CELLS, cells)
    text = table([*runs, *(cell for cell in cells if cell["key"] == options.key)])
    print(text)
    if sum(run["method"] == OURS for run in runs) == len(DATA) * WRITTEN**2:
        write_between(MARKERS, text)


def candidates(data: Data, split: int, seed: int, options: Options) -> Iterator[Row]:
    """Measure what a run could have shipped without a refit, beside the untouched model."""
    folder = run_folder(data, split, seed, options)
    log = files.read_jsonl(folder / files.TRAINING_LOG)
    model = stage2.load_model(start(data, options))
    untouched = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    place = {query["_id"]: i for i, query in enumerate(data.queries)}
    dev = [place[name] for name in files.read_json(folder / files.SPLIT)["dev"]]
    test = data.tests[split]

    def measured(name: str, weights: Mapping[str, Tensor]) -> Row:
        model.load_state_dict(weights)
        found = measures_with(model, data, [*dev, *test], options.precision)["rr"]
        on_dev, held_out = np.mean(found[: len(dev)]), np.mean(found[len(dev) :])
        return {"candidate": name, "dev": float(on_dev), "held_out": float(held_out)}

    found = [measured(UNTOUCHED, untouched)]
    states = {}
    for row in log[1:]:
        name = f"epoch {row['epoch']:g}"
        states[name] = weights_of(folder / files.CHECKPOINTS / f"epoch_{row['epoch']:g}")
        found.append(measured(name, states[name]))
    best = max(found[1:], key=lambda row: float(row["dev"]))
    if best["dev"] <= found[0]["dev"]:
        for alpha in ALPHAS:
            weights = interpolate(untouched, states[best["candidate"]], alpha)
            found.append(measured(f"{alpha:g} of the way to {best['candidate']}", weights))
    yield from found


def weights_of(kept: Path) -> Mapping[str, Tensor]:
    """Return the weights of a kept epoch, a folder of a model or a file of weights."""
    if kept.is_dir():
        return stage2.load_model(kept).state_dict()
    return read_state_dict(kept.with_name(f"{kept.name}.pt"))


def table(rows: Sequence[Row]) -> str:
    """Write what each rule loses in each experiment, in MRR."""
    lines, lost = [], []
    for shipped in (row for row in rows if row.get("method") == OURS):
        place = {name: shipped[name] for name in ("data", "split", "seed")}
        tried = [row for row in rows if "candidate" in row and place.items() <= row.items()]
        if not tried:
            continue
        # The first of equals is the untouched model, or the earlier epoch.
        chosen = max(tried, key=lambda row: float(round(row["dev"], 9)))
        value = {row["candidate"]: float(row["held_out"]) for row in tried}
        value[shipped["shipped"]] = float(np.mean(shipped["rr"]))
        best = max(value, key=lambda name: value[name])
        old, new = value[chosen["candidate"]], value[shipped["shipped"]]
        lost.append((old - value[best], new - value[best]))
        lines.append((
            *map(str, place.values()), best, f"{value[best]:.4f}",
            f"{chosen['candidate']} ({old - value[best]:+.4f})",
            f"{shipped['shipped']} ({new - value[best]:+.4f})",
        ))  # fmt: skip
    means = np.mean(lost, axis=0)
    lines.append(("**all**", "", "", "", "", f"**{means[0]:+.4f}**", f"**{means[1]:+.4f}**"))
    header = ("data", "split", "seed", "best in hindsight", "MRR", "best on dev", "stage2 run")
    return report.table(header, lines) + "\n"


if __name__ == "__main__":
    main()
