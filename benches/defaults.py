"""The held-out quality of `stage2 run`, compared with the model as it came and with a peer.

    python -m benches.defaults [--precision bf16] [-- FLAGS OF stage2 run]

The data are XQuAD English and MedQuAD, with three splits and three seeds each. The model is
all-MiniLM-L6-v2 as it is; with --init it is the 64-dimensional one that `stage2 init` makes of it.
All questions are ranked against all chunks. Finished cells are kept in benches/defaults.jsonl and
not made again.
The table is printed. That of the defaults, whole, is written to docs/defaults.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

import stage2
from benches import report
from benches.data_sets import DATA, Data, Row
from stage2.config_file import read_toml
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.models.hub import default_backbone
from stage2.models.sentence_transformers.model import SentenceEncoder
from stage2.presets import RUN_DEFAULTS
from stage2.utils import files
from stage2.utils.device import resolve_precision

if TYPE_CHECKING:
    from benches import sentence_peers

Floats = npt.NDArray[np.float64]
# The name of a measure, with its value for each query.
Measures = dict[str, list[float]]

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "defaults.md"
CELLS = ROOT / "benches" / "defaults.jsonl"
UNTOUCHED, OURS, PEER = "untouched", "stage2 run", "MultipleNegativesRankingLoss"
# The document has the table of so many splits and seeds.
WRITTEN = 3
FLIPS = 10_000


@dataclass(frozen=True)
class Options:
    """The options of all cells; `model` is a folder to start from in place of the usual model."""

    work: Path
    precision: str
    flags: tuple[str, ...]
    init: bool = False
    peer_seeds: int = 3
    model: Path | None = None

    @property
    def markers(self) -> tuple[str, str]:
        """The marks in docs/defaults.md that the table goes between."""
        name = "init" if self.init else "as it is"
        return f"<!-- {name} -->\n", f"<!-- /{name} -->"

    @property
    def start(self) -> str:
        """The model that training starts from."""
        if self.model is not None:
            return str(self.model)
        made = ", as `stage2 init` makes it: 64 dimensions"
        return f"all-MiniLM-L6-v2{made if self.init else ' as it is: 384 dimensions'}"

    @property
    def key(self) -> str:
        """The key of a recipe, by which its cells are found."""
        text = " ".join((self.start, self.precision, json.dumps(RUN_DEFAULTS), *self.flags))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def main() -> None:
    """Make the missing cells, and write the table of all."""
    parser = parser_of("defaults", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "defaults")
    parser.add_argument("--only", choices=tuple(DATA), help="one data set")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--init", action="store_true", help="start from what stage2 init makes")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="passages of each, to try the script")
    parser.add_argument("--peer-seeds", type=int, default=3, help="with which the peer is trained")
    parser.add_argument("flags", nargs="*", help="of stage2 run, after --")
    given = parser.parse_args()
    # Cells of a part of the data are kept apart from those of the whole.
    work = given.work if given.limit is None else given.work / f"limit-{given.limit}"
    options = Options(work, given.precision, tuple(given.flags), given.init, given.peer_seeds)
    names = [given.only] if given.only else list(DATA)
    wanted = [DATA[name](given.data, given.splits, given.limit) for name in names]
    log = CELLS if given.limit is None else work / CELLS.name
    cells = files.read_jsonl(log) if log.is_file() else []
    for data in wanted:
        for split in range(len(data.tests)):
            for seed in range(given.seeds):
                for found in missing(data, split, seed, options, cells):
                    cells.append(found)
                    files.write_jsonl(log, cells)
                    tell(found)
    chosen = [cell for cell in cells if cell["key"] == options.key]
    text = document(wanted, chosen, options)
    print(text)
    whole = given.limit is None and given.only is None and not given.flags
    if whole and min(given.splits, given.seeds) >= WRITTEN:
        write_between(options.markers, text)


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a script, which takes the folder of the data by `--data`.

    Args:
        name: the name of its module.
        description: the docstring of its module.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benches.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    return parser


def write_between(markers: tuple[str, str], text: str, document: Path = DOCUMENT) -> None:
    """Replace the text between two markers of a document."""
    before, rest = document.read_text(encoding="utf-8").split(markers[0])
    after = rest.split(markers[1])[1]
    files.write_text(document, before + markers[0] + text + markers[1] + after)


def tell(cell: Row) -> None:
    """Print the result of a cell to stderr."""
    name = f"{cell['data']}, split {cell['split']}, seed {cell['seed']}, {cell['method']}"
    found = f"MRR {np.mean(cell['rr']):.4f}, {cell['seconds']:.0f} s"
    print(f"{name}: {found}", file=sys.stderr, flush=True)


def missing(
    data: Data, split: int, seed: int, options: Options, cells: Sequence[Row]
) -> Iterator[Row]:
    """Make the missing cells of one split and seed, and yield them."""
    place = {"data": data.name, "split": split, "seed": seed, "key": options.key}
    done = {cell["method"] for cell in cells if place.items() <= cell.items()}
    methods: dict[str, Callable[[], Row]] = {
        UNTOUCHED: lambda: untouched_measures(data, split, options),
        OURS: lambda: our_cell(data, split, seed, options),
    }
    if seed < options.peer_seeds:
        methods[PEER] = lambda: peer_cell(data, split, seed, options)
    for method, make in methods.items():
        if method not in done:
            start = time.perf_counter()
            yield place | {"method": method} | make() | {"seconds": time.perf_counter() - start}


_UNTOUCHED: dict[str, Measures] = {}


def untouched_measures(data: Data, split: int, options: Options) -> Measures:
    """Measure the starting model. All queries are ranked once, whatever the split and seed."""
    if data.name not in _UNTOUCHED:
        everyone = range(len(data.queries))
        _UNTOUCHED[data.name] = model_measures(start(data, options), data, everyone, options)
    found = _UNTOUCHED[data.name]
    return {name: [values[i] for i in data.tests[split]] for name, values in found.items()}


def start(data: Data, options: Options) -> Path:
    """Return the folder of the model that training starts from. `stage2 init` may have to make it.

    Raises:
        FileNotFoundError: the package of all-MiniLM-L6-v2 is not installed.
    """
    if options.model is not None:
        return options.model.resolve(strict=True)
    if not options.init:
        return Path(default_backbone()).resolve(strict=True)
    folder = options.work / data.name / "init"
    if not (folder / files.STAGE1_MODEL).is_dir():
        rows = [{"chunk_id": row["_id"], "text": text}
                for row, text in zip(data.corpus, data.texts, strict=True)]  # fmt: skip
        chunks = options.work / data.name / "chunks.jsonl"
        files.write_jsonl(chunks, rows)
        program("init", "--chunks", chunks, "--output-dir", folder)
    return folder / files.STAGE1_MODEL


def training_side(data: Data, split: int, options: Options) -> Path:
    """Write the queries that the split does not hold out, with the whole corpus: a BEIR folder."""
    folder = options.work / data.name / f"split-{split}"
    # The judgements are written last.
    if not (folder / "qrels" / "all.tsv").is_file():
        out = set(data.tests[split])
        kept = [i for i in range(len(data.queries)) if i not in out]
        write_beir(data, kept, folder)
    return folder


def write_beir(data: Data, kept: Sequence[int], folder: Path) -> None:
    """Write some queries, with the whole corpus, as a BEIR folder."""
    files.write_jsonl(folder / "corpus.jsonl", data.corpus)
    files.write_jsonl(folder / "queries.jsonl", [data.queries[i] for i in kept])
    lines = [f"{data.queries[i]['_id']}\t{data.corpus[chunk]['_id']}\t1\n"
             for i in kept for chunk in data.truths[i]]  # fmt: skip
    head = "query-id\tcorpus-id\tscore\n"
    files.write_text(folder / "qrels" / "all.tsv", head + "".join(lines))


def run_folder(data: Data, split: int, seed: int, options: Options) -> Path:
    """Return the folder of `stage2 run` on the queries that the split does not hold out."""
    folder = options.work / data.name / f"split-{split}-seed-{seed}-{options.key}"
    record = folder / files.RUN
    if record.is_file() and "evaluate" in files.read_json(record).get("stages", ()):
        return folder
    program(
        "run", "--data", training_side(data, split, options), "--model", start(data, options),
        "--seed", seed, "--test-share", 0, "--folds", 0, "--precision", options.precision,
        "--output-dir", folder, "--overwrite", *options.flags,
    )  # fmt: skip
    return folder


def our_cell(data: Data, split: int, seed: int, options: Options) -> Row:
    """Measure the model that `stage2 run` ships."""
    folder = run_folder(data, split, seed, options)
    shipped = files.read_json(folder / files.RUN)["shipped"]
    measures = model_measures(folder / files.SHIPPED_MODEL, data, data.tests[split], options)
    return {
        **measures,
        "shipped": UNTOUCHED if shipped["kind"] == "stage1" else shipped["name"],
        "trained_on": len(files.read_json(folder / files.SPLIT)["trained_on"]),
    }


def peer_cell(data: Data, split: int, seed: int, options: Options) -> Row:
    """Train the peer on all queries of the side with our recipe, and measure its last epoch."""
    from benches import sentence_peers

    settings = read_toml(run_folder(data, split, seed, options) / files.SETTINGS)
    recipe = sentence_peers.Recipe(
        seed=seed,
        bf16=resolve_precision(options.precision, torch.device("cpu")) == torch.bfloat16,
        **{key: settings[key] for key in ("epochs", "batch_size", "learning_rate")},
    )
    return peer_measures(data, split, options, recipe)


def peer_measures(
    data: Data, split: int, options: Options, recipe: sentence_peers.Recipe, mined: bool = False
) -> Measures:
    """Train a peer on all queries of the side, and measure its last epoch.

    Args:
        data: the data set.
        split: the split whose queries are held out.
        options: the options of the cells.
        recipe: the settings of the training.
        mined: whether each query has a negative that the library mined in the corpus.
    """
    from benches import sentence_peers

    loaded = stage2.load_model(start(data, options))
    if isinstance(loaded, SentenceEncoder):
        model = sentence_peers.with_forward_of(loaded, options.precision)
    else:
        model = sentence_peers.sentence_transformer(loaded)
    out = set(data.tests[split])
    rows = [
        {"question": data.queries[i]["text"], "ground_truth_contexts": [data.texts[chunk]],
         "negative_contexts": []}
        for i, chunks in enumerate(data.truths) if i not in out for chunk in chunks
    ]  # fmt: skip
    if mined:
        rows = sentence_peers.mine(model, rows, data.texts)
    sentence_peers.train(model, rows, recipe)
    test = [data.queries[i]["text"] for i in data.tests[split]]
    scores = sentence_peers.scores(model, test, data.texts)
    return measures_of(scores, truths_of(data, data.tests[split]))


def model_measures(path: Path, data: Data, rows: Sequence[int], options: Options) -> Measures:
    """Measure a model on some queries, each ranked against all chunks."""
    return measures_with(stage2.load_model(path), data, rows, options.precision)


def measures_with(model: Encoder, data: Data, rows: Sequence[int], precision: str) -> Measures:
    """Return the same for a model that is loaded."""
    queries = encode(
        model, [data.queries[i]["text"] for i in rows], role="query", precision=precision
    )
    chunks = encode(model, data.texts, precision=precision)
    return measures_of(stage2.similarity(queries, chunks), truths_of(data, rows))


def truths_of(data: Data, rows: Sequence[int]) -> list[list[int]]:
    """Return the indices of the chunks that answer some queries."""
    return [data.truths[i] for i in rows]


def measures_of(scores: npt.NDArray[Any], truths: Sequence[Sequence[int]]) -> Measures:
    """Return each query's expected reciprocal rank of the first answer, and its nDCG@10.

    They are rounded to six decimal places, in which they are kept.

    Args:
        scores: (n, N).
        truths: the right columns of each row.
    """
    count, size = scores.shape
    rounded = np.round(scores, 6).astype(np.float32)
    relevance = np.zeros((count, size))
    for row, columns in enumerate(truths):
        relevance[row, columns] = 1
    offsets = np.arange(count + 1) * size
    ranked = stage2.rank(rounded.ravel(), offsets, relevance=relevance.ravel())
    found = {"rr": ranked.reciprocal_rank, "ndcg10": ranked.ndcg(10)}
    return {name: np.round(values, 6).tolist() for name, values in found.items()}


def program(*words: object) -> None:
    """Call stage2 as a user does. Its output goes to stderr."""
    command = [sys.executable, "-m", "stage2", *map(str, words)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def document(data: Sequence[Data], cells: Sequence[Row], options: Options) -> str:
    """Write the tables as Markdown."""
    flags = " ".join(options.flags) or "no flags: the defaults"
    parts = [f"{options.start}; `stage2 run` with {flags}; precision {options.precision}.\n"]
    for one in data:
        own = [cell for cell in cells if cell["data"] == one.name]
        # What was interrupted has no row.
        done = {(cell["split"], cell["seed"]) for cell in own if cell["method"] == OURS}
        own = [cell for cell in own if (cell["split"], cell["seed"]) in done]
        parts.append(f"### {one.name}\n\n{_table(own)}\n\n{_verdict(own)}\n")
    return "\n".join(parts)


def _table(cells: Sequence[Row]) -> str:
    made = {cell["method"] for cell in cells}
    methods = (UNTOUCHED, OURS, *({PEER} & made))
    places = list(dict.fromkeys((cell["split"], cell["seed"]) for cell in cells))
    found = {(cell["split"], cell["seed"], cell["method"]): cell for cell in cells}
    rows = []
    for place in places:
        ours = found[(*place, OURS)]
        ranks = [found[(*place, m)]["rr"] if (*place, m) in found else None for m in methods]
        rows.append((
            *map(str, place), str(len(ours["rr"])), str(ours["trained_on"]), ours["shipped"],
            *("–" if rank is None else f"{np.mean(rank):.4f}" for rank in ranks),
            probability(flip_test(ours["rr"], found[(*place, methods[0])]["rr"])),
        ))  # fmt: skip
    means = []
    for method in methods:
        count = sum(cell["method"] == method for cell in cells)
        # If a method was not measured everywhere, its mean says in how many experiments it was.
        of = "" if count == len(places) else f" (of {count})"
        means.append(f"**{mean(cells, method):.4f}**{of}")
    rows.append(("**all**", "", "", "", "", *means, ""))
    header = ("split", "seed", "test questions", "trained on", "shipped", *methods, "p")
    return report.table(header, rows)


def _verdict(cells: Sequence[Row]) -> str:
    before = {(cell["split"], cell["seed"]): cell["rr"] for cell in cells
              if cell["method"] == UNTOUCHED}  # fmt: skip
    ours = [cell for cell in cells if cell["method"] == OURS]
    changes = [
        np.mean(cell["rr"]) - np.mean(old)
        for cell in ours
        for old in [before[cell["split"], cell["seed"]]]
        if flip_test(cell["rr"], old) < 0.05
    ]
    better, worse = sum(one > 0 for one in changes), sum(one < 0 for one in changes)
    change = mean(cells, OURS) - mean(cells, UNTOUCHED)
    peer = ""
    if places := {(cell["split"], cell["seed"]) for cell in cells if cell["method"] == PEER}:
        both = [cell for cell in cells if (cell["split"], cell["seed"]) in places]
        lead = mean(both, OURS) - mean(both, PEER)
        peer = f"; over {PEER} {lead:+.4f} in {len(places)}"
    others = ", ".join(
        f"{method} {mean(cells, method, 'ndcg10'):.4f}"
        for method in (UNTOUCHED, OURS, PEER)
        if any(cell["method"] == method for cell in cells)
    )
    return (
        f"Held-out MRR over {UNTOUCHED}: {change:+.4f}; significantly better (p < 0.05) in "
        f"{better} and worse in {worse} of {len(ours)}{peer}. nDCG@10: {others}."
    )


def mean(cells: Sequence[Row], method: str, measure: str = "rr") -> float:
    """Return the mean over all held-out questions of all cells of a method."""
    ranks = [cell[measure] for cell in cells if cell["method"] == method]
    return float(np.mean(np.concatenate(ranks)))


def probability(p: float) -> str:
    """Write p with three decimals, or `< 0.001`."""
    return f"{p:.3f}" if p >= 0.0005 else "< 0.001"


def flip_test(after: Sequence[float], before: Sequence[float]) -> float:
    """Return the two-sided p of a paired randomisation test with random signs of differences."""
    differences = np.asarray(after) - np.asarray(before)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (FLIPS, len(differences)))
    flipped = np.abs(signs @ differences)
    # Sums that differ only by the order of summation count as equal.
    beyond = np.count_nonzero(flipped >= abs(differences.sum()) - 1e-9)
    return (1 + beyond) / (1 + FLIPS)


if __name__ == "__main__":
    main()
