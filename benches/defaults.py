"""The held-out quality of `stage2 run`, compared with stage 1 and with peers.

    python -m benches.defaults [--precision bf16] [-- FLAGS OF stage2 run]

The data are XQuAD English with three splits and three seeds, and Monte Cristo, cross-validated. All
questions are ranked against all chunks. Finished cells are kept in a file and not made again. The
table is printed and written to docs/defaults.md. With --limit, which tries the script, it is only
printed.
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
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import stage2
from benches import report
from stage2 import ProbabilisticGBERTV4
from stage2.config_file import read_toml
from stage2.utils import files
from stage2.utils.device import resolve_precision

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "defaults.md"
MARKERS = ("<!-- table -->\n", "<!-- /table -->")
PEERS = ("TripletLoss", "MultipleNegativesRankingLoss", "the same, pairs alone")
OURS = "stage2 run"
TEST_SHARE, FOLDS = 0.3, 5
# The negatives of each question that peers train on. More would take them hours.
PEER_NEGATIVES = 1
FLIPS = 10_000


@dataclass(frozen=True)
class Data:
    """A data set, with the indices of the questions that each split holds out."""

    name: str
    questions: list[Row]
    chunks: list[Row]
    tests: list[list[int]]
    entities: Path | None = None
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """The options of all cells."""

    work: Path
    precision: str
    flags: tuple[str, ...]
    peer_seeds: int = 3

    @property
    def key(self) -> str:
        """The key of a recipe, by which its cells are found."""
        text = " ".join((self.precision, *self.flags))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def main() -> None:
    """Make the missing cells, and write the table of all."""
    parser = argparse.ArgumentParser(
        prog="python -m benches.defaults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "defaults")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="paragraphs and questions; writes no document")
    parser.add_argument(
        "--peer-seeds", type=int, default=3, help="with which the peers are trained"
    )
    parser.add_argument("flags", nargs="*", help="of stage2 run, after --")
    given = parser.parse_args()
    # Cells of a part of the data are kept apart from those of the whole.
    work = given.work if given.limit is None else given.work / f"limit-{given.limit}"
    options = Options(work, given.precision, tuple(given.flags), given.peer_seeds)
    wanted = [
        (xquad(given.data, given.splits, given.limit), given.seeds),
        (monte_cristo(given.data, given.limit), 1),
    ]
    log = work / "cells.jsonl"
    cells = files.read_jsonl(log) if log.is_file() else []
    for data, seeds in wanted:
        for split in range(len(data.tests)):
            for seed in range(seeds):
                for found in missing(data, split, seed, options, cells):
                    cells.append(found)
                    files.write_jsonl(log, cells)
                    tell(found)
    chosen = [cell for cell in cells if cell["key"] == options.key]
    text = document([data for data, _ in wanted], chosen, options)
    print(text)
    if given.limit is None:
        write_between(MARKERS, text)


def write_between(markers: tuple[str, str], text: str) -> None:
    """Replace the text between two markers of docs/defaults.md."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(markers[0])
    after = rest.split(markers[1])[1]
    files.write_text(DOCUMENT, before + markers[0] + text + markers[1] + after)


def tell(cell: Row) -> None:
    """Print the result of a cell to stderr."""
    name = f"{cell['data']}, split {cell['split']}, seed {cell['seed']}, {cell['method']}"
    found = f"MRR {np.mean(cell['rr']):.4f}, {cell['seconds']:.0f} s"
    print(f"{name}: {found}", file=sys.stderr, flush=True)


def xquad(folder: Path, splits: int, limit: int | None) -> Data:
    """Load XQuAD English. Each split holds out the questions of some paragraphs."""
    articles = json.loads((folder / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [part for article in articles for part in article["paragraphs"]][:limit]
    chunks = [{"chunk_id": f"p{i}", "text": part["context"]} for i, part in enumerate(paragraphs)]
    questions = [
        {"qa_id": qa["id"], "question": qa["question"], "chunk_id": f"p{i}",
         "answer": qa["answers"][0]["text"]}
        for i, part in enumerate(paragraphs) for qa in part["qas"]
    ]  # fmt: skip
    tests = []
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(paragraphs))
        out = {f"p{i}" for i in order[: round(TEST_SHARE * len(order))]}
        tests.append([i for i, row in enumerate(questions) if row["chunk_id"] in out])
    return Data("XQuAD", questions, chunks, tests, peers=PEERS)


def monte_cristo(folder: Path, limit: int | None) -> Data:
    """Load Monte Cristo. Each question is held out by one fold."""
    folder = folder / "monte_cristo"
    rows = json.loads((folder / "qa.json").read_text(encoding="utf-8"))[:limit]
    # Each question has its own chunk, so folds of questions keep groups whole.
    questions = [
        {"qa_id": f"q{i}", "question": row["question"], "chunk_id": row["chunk_id"],
         "answer": row["answer"]}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    chunks = files.read_jsonl(folder / "chunks.jsonl")
    if limit is not None:
        gold = {str(row["chunk_id"]) for row in questions}
        chunks = [row for i, row in enumerate(chunks) if i < limit or str(row["chunk_id"]) in gold]
    folds = np.array_split(np.random.default_rng(0).permutation(len(questions)), FOLDS)
    tests = [sorted(fold.tolist()) for fold in folds]
    return Data("Monte Cristo", questions, chunks, tests, folder / "entities.jsonl")


def missing(
    data: Data, split: int, seed: int, options: Options, cells: Sequence[Row]
) -> Iterator[Row]:
    """Make the missing cells of one split and seed, and yield them."""
    place = {"data": data.name, "split": split, "seed": seed, "key": options.key}
    done = {cell["method"] for cell in cells if place.items() <= cell.items()}
    methods: dict[str, Callable[[], Row]] = {
        "stage 1": lambda: stage1_cell(data, split, options),
        OURS: lambda: our_cell(data, split, seed, options),
        **{name: lambda name=name: peer_cell(name, data, split, seed, options)
           for name in data.peers if seed < options.peer_seeds},
    }  # fmt: skip
    for method, make in methods.items():
        if method not in done:
            start = time.perf_counter()
            yield place | {"method": method} | make() | {"seconds": time.perf_counter() - start}


def stage1_cell(data: Data, split: int, options: Options) -> Row:
    """Measure stage 1."""
    return {"rr": stage1_ranks(data, options)[data.tests[split]].tolist()}


_STAGE1_RANKS: dict[str, Floats] = {}


def stage1_ranks(data: Data, options: Options) -> Floats:
    """Return stage 1's reciprocal rank of every question. It does not depend on split and seed."""
    if data.name not in _STAGE1_RANKS:
        model = ProbabilisticGBERTV4.from_pretrained(stage1(data, options))
        everyone = range(len(data.questions))
        _STAGE1_RANKS[data.name] = model_ranks(model, data, everyone, options)
    return _STAGE1_RANKS[data.name]


def stage1(data: Data, options: Options) -> Path:
    """Return the folder of the stage-1 model. It is made by `stage2 init` if it does not exist."""
    folder = options.work / data.name / "init"
    if not (folder / files.STAGE1_MODEL).is_dir():
        chunks = _written(options.work / data.name / "chunks.jsonl", data.chunks)
        program("init", "--chunks", chunks, "--output-dir", folder)
    return folder / files.STAGE1_MODEL


def run_folder(data: Data, split: int, seed: int, options: Options) -> Path:
    """Return the folder of `stage2 run` on the questions that the split does not hold out."""
    model = stage1(data, options)
    folder = options.work / data.name / f"split-{split}-seed-{seed}-{options.key}"
    record = folder / files.RUN
    if record.is_file() and "evaluate" in files.read_json(record)["stages"]:
        return folder
    out = set(data.tests[split])
    rows = [row for i, row in enumerate(data.questions) if i not in out]
    qa = _written(options.work / data.name / f"split-{split}.jsonl", rows)
    entities = () if data.entities is None else ("--entities", data.entities)
    program(
        "run", "--qa", qa, "--chunks", options.work / data.name / "chunks.jsonl", *entities,
        "--model", model, "--seed", seed, "--test-share", 0, "--folds", 0,
        "--precision", options.precision, "--output-dir", folder, "--overwrite", *options.flags,
    )  # fmt: skip
    return folder


def our_cell(data: Data, split: int, seed: int, options: Options) -> Row:
    """Measure the model that `stage2 run` ships."""
    folder = run_folder(data, split, seed, options)
    shipped = files.read_json(folder / files.RUN)["shipped"]
    model = ProbabilisticGBERTV4.from_pretrained(folder / files.SHIPPED_MODEL)
    return {
        "rr": model_ranks(model, data, data.tests[split], options).tolist(),
        "shipped": shipped["name"],
        "trained_on": len(files.read_json(folder / files.SPLIT)["trained_on"]),
    }


def peer_cell(name: str, data: Data, split: int, seed: int, options: Options) -> Row:
    """Train a peer on the lists of our run with the same number of epochs, and measure it."""
    from benches import sentence_peers

    folder = run_folder(data, split, seed, options)
    settings = read_toml(folder / files.SETTINGS)
    trained_on = set(files.read_json(folder / files.SPLIT)["trained_on"])
    # hard_negatives.jsonl has the hard examples without the negatives that were dropped. The easy
    # questions that were trained on are only in the other file.
    lists = {
        row["qa_id"]: row
        for name_of_file in (files.CONSTRUCTED, files.HARD)
        for row in files.read_jsonl(folder / name_of_file)
        if row["qa_id"] in trained_on
    }
    model = sentence_peers.sentence_transformer(
        ProbabilisticGBERTV4.from_pretrained(stage1(data, options))
    )
    if lists:
        device = model.device
        recipe = sentence_peers.Recipe(
            seed=seed,
            bf16=resolve_precision(options.precision, device) == torch.bfloat16,
            **{key: settings[key] for key in ("epochs", "batch_size", "learning_rate", "margin")},
        )
        rows = [
            {**row, "negative_contexts": row["negative_contexts"][:PEER_NEGATIVES]}
            for row in lists.values()
        ]
        sentence_peers.train(name, model, rows, recipe)
    test = [data.questions[i] for i in data.tests[split]]
    scores = sentence_peers.scores(
        model, [row["question"] for row in test], [row["text"] for row in data.chunks]
    )
    return {"rr": reciprocal_ranks(scores, gold_of(data, data.tests[split])).tolist()}


def model_ranks(
    model: ProbabilisticGBERTV4, data: Data, rows: Sequence[int], options: Options
) -> Floats:
    """Return the reciprocal rank of each question's chunk among all chunks: float64 (n,)."""
    texts = [data.questions[i]["question"] for i in rows], [row["text"] for row in data.chunks]
    notes = None if data.entities is None else stage2.Annotations.load(data.entities)
    sides = []
    for side in texts:
        spans = None
        if notes is not None:
            found, offsets = notes.spans_for(side)
            spans = [found[start:end] for start, end in pairwise(offsets)]
        sides.append(model.encode(side, spans, precision=options.precision))
    return reciprocal_ranks(stage2.similarity(*sides), gold_of(data, rows))


def gold_of(data: Data, rows: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the row of each question's chunk: int64 (n,)."""
    place = {str(row["chunk_id"]): i for i, row in enumerate(data.chunks)}
    return np.asarray([place[str(data.questions[i]["chunk_id"])] for i in rows])


def reciprocal_ranks(scores: npt.NDArray[Any], gold: npt.NDArray[np.int64]) -> Floats:
    """Return the expected reciprocal ranks, (n,).

    Args:
        scores: (n, N).
        gold: int64 (n,), the right column of each row.
    """
    count, size = scores.shape
    own = scores[np.arange(count), gold]
    others = scores[np.arange(size) != gold[:, None]].reshape(count, size - 1)
    lists = np.round(np.column_stack([own, others]), 6).astype(np.float32)
    return stage2.rank(lists.ravel(), np.arange(count + 1) * size, 1).reciprocal_rank


def program(*words: object) -> None:
    """Call stage2 as a user does. Its output goes to stderr."""
    command = [sys.executable, "-m", "stage2", *map(str, words)]
    subprocess.run(command, check=True, stdout=sys.stderr)


def document(data: Sequence[Data], cells: Sequence[Row], options: Options) -> str:
    """Write the tables as Markdown."""
    flags = " ".join(options.flags) or "no flags: the defaults"
    parts = [f"`stage2 run` with {flags}; precision {options.precision}.\n"]
    for one in data:
        own = [cell for cell in cells if cell["data"] == one.name]
        parts.append(f"### {one.name}\n\n{_table(one, own)}\n\n{_verdict(one, own)}\n")
    return "\n".join(parts)


def _table(data: Data, cells: Sequence[Row]) -> str:
    made = {cell["method"] for cell in cells}
    methods = ("stage 1", OURS, *(name for name in data.peers if name in made))
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
        means.append(f"**{mean_mrr(cells, method):.4f}**{of}")
    rows.append(("**all**", "", "", "", "", *means, ""))
    header = ("split", "seed", "test questions", "trained on", "shipped", *methods, "p")
    return report.table(header, rows)


def _verdict(data: Data, cells: Sequence[Row]) -> str:
    before = {(cell["split"], cell["seed"]): cell["rr"] for cell in cells
              if cell["method"] == "stage 1"}  # fmt: skip
    ours = [cell for cell in cells if cell["method"] == OURS]
    worse = sum(
        np.mean(cell["rr"]) < np.mean(old) and flip_test(cell["rr"], old) < 0.05
        for cell in ours
        for old in [before[cell["split"], cell["seed"]]]
    )
    change = mean_mrr(cells, OURS) - mean_mrr(cells, "stage 1")
    peers = ""
    for name in data.peers:
        places = {(cell["split"], cell["seed"]) for cell in cells if cell["method"] == name}
        if not places:
            continue
        both = [cell for cell in cells if (cell["split"], cell["seed"]) in places]
        lead = mean_mrr(both, OURS) - mean_mrr(both, name)
        peers += f"; over {name} {lead:+.4f} in {len(places)}"
    return (
        f"Held-out MRR over stage 1: {change:+.4f}; significantly worse (p < 0.05) in {worse} of "
        f"{len(ours)}{peers}."
    )


def mean_mrr(cells: Sequence[Row], method: str) -> float:
    """Return the mean over all held-out questions of all cells of a method."""
    ranks = [cell["rr"] for cell in cells if cell["method"] == method]
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


def _written(path: Path, rows: list[Row]) -> Path:
    files.write_jsonl(path, rows)
    return path


if __name__ == "__main__":
    main()
