"""How many wrong labels the first pairs of a review hold, on data whose labels were corrupted.

    python -m benches.relabel [--only xquad] [--output FOLDER] [--write]

A tenth of the questions of XQuAD English and MedQuAD gets a wrong label. Of a question with several
answers half lose one instead. The wrong passage is drawn from all (`far`), or from the five that
all-MiniLM-L6-v2 finds most like the right one (`near`). The doubtful pairs are ordered as
`stage2 audit --review` orders them, and a reviewer who knows the original labels judges the first
ones. The table has the means over seeds; --write puts it into docs/how-to/repair-labels.md.

With --output the data are kept as BEIR folders: the corrupted ones, the judgements, and the ones
that `stage2 relabel` makes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from click.testing import CliRunner

import stage2
from benches.data_sets import DATA, Data
from benches.defaults import ROOT, parser_of, write_beir, write_between
from stage2._core import Samples
from stage2.cli.main import program
from stage2.config import Settings
from stage2.data.formats import read
from stage2.data.judgements import row_of
from stage2.encoding.embeddings import Embeddings
from stage2.encoding.encode import encode
from stage2.mining.audit import audit
from stage2.mining.doubts import Doubt, Scored, doubts, score_corpus
from stage2.models.hub import default_backbone
from stage2.utils import files

DOCUMENT = ROOT / "docs" / "how-to" / "repair-labels.md"
MARKERS = "<!-- corrupted -->\n", "<!-- /corrupted -->"
SHARE = 0.1
NEAR = 5
FIRST = 100
KINDS = ("far", "near")

# A question and a passage, as indices of the data.
Pair = tuple[int, int]


@dataclass(frozen=True)
class Vectors:
    """The vectors of a data set, which a corruption of its labels leaves as they are."""

    questions: Embeddings
    chunks: Embeddings


@dataclass(frozen=True)
class Found:
    """The wrong labels among the first pairs of an order.

    Attributes:
        wrong: how many of them have a label that is wrong, or lack one.
        questions: how many corrupted questions are among theirs.
    """

    wrong: float
    questions: float


def main() -> None:
    """Corrupt, order, judge, mend, and print the table."""
    parser = parser_of("relabel", __doc__)
    parser.add_argument("--only", choices=tuple(DATA), help="one data set")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="passages of each, to try the script")
    parser.add_argument("--judge", type=int, default=FIRST, help="so many pairs are judged")
    parser.add_argument("--output", type=Path, help="keep the data sets in this folder")
    parser.add_argument("--write", action="store_true", help="write the table into the page")
    given = parser.parse_args()
    model = stage2.load_model(default_backbone())
    lines = []
    for name in [given.only] if given.only else list(DATA):
        data = DATA[name](given.data, 1, given.limit)
        texts = [row["text"] for row in data.queries]
        vectors = Vectors(
            encode(model, texts, role="query", precision="fp32"),
            encode(model, data.texts, precision="fp32"),
        )
        for kind in KINDS:
            cells = [
                cell(data, vectors, kind, seed, given.judge, given.output)
                for seed in range(given.seeds)
            ]
            lines.append(line(f"{data.name}, {kind}", cells))
            print(lines[-1], flush=True)
    text = table(lines, given.judge, given.seeds)
    print(text)
    if given.write:
        write_between(MARKERS, text, DOCUMENT)


def cell(
    data: Data, vectors: Vectors, kind: str, seed: int, judge: int, output: Path | None
) -> dict[str, Found]:
    """Return what each order finds in a corrupted copy; mend the copy if it is to be kept."""
    corrupted = corrupt(data, vectors, kind, seed)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if output is None else output / f"{data.name}-{kind}-{seed}"
        write_beir(corrupted, range(len(corrupted.queries)), folder / "corrupted")
        samples = samples_of(folder / "corrupted")
        found, scored = doubtful(samples, data, vectors)
        orders = ordered(samples, found, data, vectors, scored)
        truths = zip(data.truths, corrupted.truths, strict=True)
        changed = {row for row, (own, other) in enumerate(truths) if own != other}
        told = {
            name: Found(
                sum(is_wrong(pair, data, corrupted) for pair in pairs[:judge]),
                len({row for row, _ in pairs[:judge]} & changed),
            )
            for name, pairs in orders.items()
        }
        told["chance"] = Found(*chance(data, corrupted, judge))
        if output is not None:
            mend(folder, data, orders["audit"][:judge])
    return told


def corrupt(data: Data, vectors: Vectors, kind: str, seed: int) -> Data:
    """Give a tenth of the questions a wrong label, or take one of several away."""
    random = np.random.default_rng(seed)
    count = len(data.truths)
    near = vectors.chunks.mu @ vectors.chunks.mu.T if kind == "near" else None
    truths = [list(own) for own in data.truths]
    for row in random.choice(count, round(SHARE * count), replace=False).tolist():
        own = truths[row]
        lost = own[int(random.integers(len(own)))]
        kept = [chunk for chunk in own if chunk != lost]
        if kept and random.random() < 0.5:
            truths[row] = kept
            continue
        order = np.arange(len(data.corpus)) if near is None else np.argsort(-near[lost])
        others = [chunk for chunk in order.tolist() if chunk not in own]
        others = others if near is None else others[:NEAR]
        truths[row] = [*kept, int(random.choice(others))]
    return replace(data, truths=truths)


def samples_of(folder: Path) -> Samples:
    """Read a data set as the program does."""
    dataset = read(Settings(data=str(folder)), False).dataset
    if dataset is None:
        raise ValueError(f"{folder}: has no corpus")
    return dataset.construct(negatives=1)


def doubtful(samples: Samples, data: Data, vectors: Vectors) -> tuple[list[Doubt], Scored]:
    """Return the doubtful pairs as `stage2 audit --review` orders them."""
    place = {row["_id"]: i for i, row in enumerate(data.queries)}
    chunk = {row["_id"]: i for i, row in enumerate(data.corpus)}
    questions = vectors.questions.take([place[name] for name in samples.qa_ids])
    contexts = vectors.chunks.take([chunk[name] for name in samples.context_ids])
    scored = score_corpus(samples, questions, contexts)
    return doubts(samples, audit(samples), scored), scored


def ordered(
    samples: Samples, found: Sequence[Doubt], data: Data, vectors: Vectors, scored: Scored
) -> dict[str, list[Pair]]:
    """Return the pairs in the order of the audit, and in those of the model's score alone."""
    place = {row["_id"]: i for i, row in enumerate(data.queries)}
    chunk = {row["_id"]: i for i, row in enumerate(data.corpus)}

    def named(pairs: Iterable[Pair]) -> list[Pair]:
        return [
            (place[samples.qa_ids[row]], chunk[samples.context_ids[context]])
            for row, context in pairs
        ]

    def score(pair: Pair) -> float:
        return float(vectors.questions.mu[pair[0]] @ vectors.chunks.mu[pair[1]])

    def by(key: Callable[[Pair], float], lists: list[dict[int, float]]) -> list[Pair]:
        pairs = named((row, context) for row, own in enumerate(lists) for context in own)
        return sorted(pairs, key=lambda pair: (key(pair), pair))

    return {
        "audit": named(one.pair for one in found),
        "lowest labels": by(score, scored.own),
        "highest others": by(lambda pair: -score(pair), scored.others),
    }


def is_wrong(pair: Pair, data: Data, corrupted: Data) -> bool:
    """Return whether the label of a pair is another than the original one."""
    row, chunk = pair
    return (chunk in data.truths[row]) != (chunk in corrupted.truths[row])


def chance(data: Data, corrupted: Data, judge: int) -> tuple[float, float]:
    """Return what so many labels that are drawn by chance would hold on average."""
    labels = [(row, chunk) for row, own in enumerate(corrupted.truths) for chunk in own]
    share = sum(is_wrong(pair, data, corrupted) for pair in labels) / len(labels)
    return judge * share, judge * share


def mend(folder: Path, data: Data, pairs: Sequence[Pair]) -> None:
    """Write the judgements of who knows the original labels, and the data that result."""
    rows = [
        row_of(
            data.queries[row]["_id"],
            data.queries[row]["text"],
            data.corpus[chunk]["_id"],
            "answer" if chunk in data.truths[row] else "not",
            "oracle",
        )
        for row, chunk in pairs
    ]
    files.write_jsonl(folder / "judgements.jsonl", rows)
    call = ["relabel", "--judgements", folder / "judgements.jsonl", "--data", folder / "corrupted"]
    done = CliRunner().invoke(program, [*map(str, call), "--output", str(folder / "mended")])
    if done.exit_code:
        raise RuntimeError(done.output)


_ORDERS = ("audit", "lowest labels", "highest others", "chance")


def line(name: str, cells: Sequence[dict[str, Found]]) -> str:
    """Return a row of the table: the means over seeds."""
    values = [
        f"{np.mean([one[order].wrong for one in cells]):.0f} "
        f"({np.mean([one[order].questions for one in cells]):.0f})"
        for order in _ORDERS
    ]
    return f"| {name} | {' | '.join(values)} |\n"


def table(lines: Sequence[str], judge: int, seeds: int) -> str:
    """Return the table as Markdown."""
    head = (
        f"| of the first {judge} pairs, mean of {seeds} seeds | `audit --review` "
        "| labels with the lowest score | unlabelled passages with the highest score | chance |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
    )
    return head + "".join(lines)


if __name__ == "__main__":
    main()
