"""A BEIR folder made up, small enough to train on in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.small import WORDS, write_jsonl

HEADER = "query-id\tcorpus-id\tscore\n"


def write_beir(folder: Path, qrels: Mapping[str, range]) -> Path:
    """15 questions over 20 chunks with titles.

    Args:
        folder: that is made.
        qrels: for each file of judgements the numbers of the questions that it judges; of the last
            question that is judged by none, nothing is known.
    """
    (folder / "qrels").mkdir(parents=True)
    size = len(WORDS)
    corpus = [
        {
            "_id": f"c{i:02}",
            "title": WORDS[i] if i % 4 else "",
            "text": " ".join(WORDS[(i * 7 + j * 3) % size] for j in range(9)),
        }
        for i in range(20)
    ]
    queries = [
        {"_id": f"q{i:02}", "text": " ".join(WORDS[(i * 5 + j) % size] for j in range(6))}
        for i in range(15)
    ]
    write_jsonl(folder / "corpus.jsonl", corpus)
    write_jsonl(folder / "queries.jsonl", queries)
    for name, questions in qrels.items():
        lines = [f"q{i:02}\tc{i:02}\t{1 + i % 2}\n" for i in questions]
        (folder / "qrels" / name).write_text(HEADER + "".join(lines))
    return folder


def one_file(folder: Path) -> Path:
    """A folder in which one file judges every question but the last."""
    return write_beir(folder / "beir", {"all.tsv": range(14)})


def three_files(folder: Path) -> Path:
    """A folder whose files tell train, dev and test."""
    return write_beir(
        folder / "beir",
        {"train.tsv": range(7), "valid.tsv": range(7, 10), "test.tsv": range(10, 14)},
    )


def write_other(folder: Path, count: int) -> Path:
    """A folder of so many questions that have the words of their chunks, which no other data has.

    Args:
        folder: that is made.
        count: the number of questions, and of chunks.
    """
    (folder / "qrels").mkdir(parents=True)
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, 6)) for _ in range(count)]
    write_jsonl(folder / "corpus.jsonl", [{"_id": f"d{i}", "text": t} for i, t in enumerate(texts)])
    asked = [" ".join(text.split()[:5]) for text in texts]
    write_jsonl(
        folder / "queries.jsonl", [{"_id": f"q{i}", "text": t} for i, t in enumerate(asked)]
    )
    rows = "".join(f"q{i}\td{i}\t1\n" for i in range(count))
    (folder / "qrels" / "all.tsv").write_text(HEADER + rows)
    return folder


def write_tied(folder: Path, own: Callable[[int], bool], names: Sequence[str] = ("all",)) -> Path:
    """60 questions of two or three answers each, of which 12 chunks answer all, as in Cranfield.

    Args:
        folder: that is made.
        own: whether a question, by its number, has one more answer that no other question has.
        names: of the files of judgements; the questions are dealt to them in turn.
    """
    (folder / "qrels").mkdir(parents=True)
    random = np.random.default_rng(4)
    texts = {f"c{i:02}": " ".join(random.choice(WORDS, 14)) for i in range(12)}
    texts |= {f"own{i:02}": " ".join(random.choice(WORDS, 14)) for i in range(60) if own(i)}
    write_jsonl(folder / "corpus.jsonl", [{"_id": i, "title": "", "text": texts[i]} for i in texts])
    queries = [{"_id": f"q{i:02}", "text": f"{random.choice(WORDS)} {i}?"} for i in range(60)]
    write_jsonl(folder / "queries.jsonl", queries)
    lines: dict[str, list[str]] = {name: [] for name in names}
    for i in range(60):
        answers = [f"c{i % 12:02}", f"c{(i * 5 + 1 + i // 12) % 12:02}"]
        answers += [f"own{i:02}"] if own(i) else []
        file = lines[names[i % len(names)]]
        file += [f"q{i:02}\t{chunk}\t1\n" for chunk in dict.fromkeys(answers)]
    for name, judged in lines.items():
        (folder / "qrels" / f"{name}.tsv").write_text(HEADER + "".join(judged))
    return folder
