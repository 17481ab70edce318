"""Measure what 64 dimensions of `stage2 init` cost against the encoder they are made from.

    python -m benches.init_cost [--only xquad]

The data and the held-out questions are those of `benches.defaults`. A model is made of the chunks
alone, so that all questions are new to it; those that each split holds out are shown too. All
questions are ranked against all chunks, in float32. The table is printed, and that of all data is
written to docs/defaults.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

import stage2
from benches import data_sets, defaults, report
from benches.data_sets import Data
from benches.defaults import Floats
from stage2.config import default
from stage2.encoding.encoder import Encoder
from stage2.models.fit_model import fit_model
from stage2.models.hub import default_backbone
from stage2.models.init_model import init_model

MARKERS = ("<!-- cost -->\n", "<!-- /cost -->")
PRECISION = "fp32"
SPLITS = 3


UNTOUCHED = "all-MiniLM-L6-v2, untouched"


def fitted(data: Data, steps: int) -> Encoder:
    """Make a model whose encoder is fitted too."""
    model = init_model(None, data.texts, embedding_dim=64, seed=0)
    fit_model(model, None, data.texts, steps=steps, seed=0)
    return model


MODELS: Mapping[str, Callable[[Data], Encoder]] = {
    UNTOUCHED: lambda _: stage2.load_model(Path(default_backbone()).resolve(strict=True)),
    "`stage2 init`": lambda data: fitted(data, default("fit_steps")),
    "`stage2 init --fit-steps 0`": lambda data: init_model(
        None, data.texts, embedding_dim=64, seed=0
    ),
}


def main() -> None:
    """Measure each model on each data set, and write the table."""
    parser = defaults.parser_of("init_cost", __doc__)
    parser.add_argument("--only", choices=tuple(data_sets.DATA), help="one data set")
    parser.add_argument("--limit", type=int, help="passages of each, to try the script")
    given = parser.parse_args()
    names = [given.only] if given.only else list(data_sets.DATA)
    parts = [section(data_sets.DATA[name](given.data, SPLITS, given.limit)) for name in names]
    text = "\n".join(parts)
    print(text)
    if given.only is None and given.limit is None:
        defaults.write_between(MARKERS, text)


def section(data: Data) -> str:
    """Measure all models on one data set, and return its table."""
    everyone = range(len(data.queries))
    rows, before = [], np.empty(0)
    for name, make in MODELS.items():
        start = time.perf_counter()
        model = make(data)
        seconds = time.perf_counter() - start
        ranks = np.asarray(defaults.measures_with(model, data, everyone, PRECISION)["rr"])
        if name == UNTOUCHED:
            before = ranks
        rows.append([name, str(model.embedding_dim), *cells(data, ranks, before)])
        print(f"{data.name}, {name}: {rows[-1]}, made in {seconds:.0f} s", file=sys.stderr)
    splits = (f"split {i}, {len(rows)} questions" for i, rows in enumerate(data.tests))
    header = ("model", "dimensions", f"all {len(data.queries)} questions", *splits)
    return f"### {data.name}\n\n{report.table(header, rows)}\n"


def cells(data: Data, ranks: Floats, before: Floats) -> list[str]:
    """Write the MRR of all questions and of each split's, with the change from `before`."""
    sets: Sequence[Sequence[int]] = [range(len(ranks)), *data.tests]
    found = []
    for rows in sets:
        one, change = ranks[rows].mean(), (ranks[rows] - before[rows]).mean()
        found.append(f"{one:.4f}" if ranks is before else f"{one:.4f} ({change:+.4f})")
    return found


if __name__ == "__main__":
    main()
