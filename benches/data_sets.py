"""The data sets that recipes are measured on, with the questions that each split holds out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from stage2.utils import files

Row = dict[str, Any]

TEST_SHARE = 0.3


@dataclass(frozen=True)
class Data:
    """A data set, with the indices of the questions that each split holds out.

    Attributes:
        name: the name of the data set.
        queries: the rows of `queries.jsonl`.
        corpus: the rows of `corpus.jsonl`.
        truths: for each query, the indices of the chunks that answer it.
        tests: for each split, the queries that it holds out.
    """

    name: str
    queries: list[Row]
    corpus: list[Row]
    truths: list[list[int]]
    tests: list[list[int]]

    @property
    def texts(self) -> list[str]:
        """The chunks as a model reads them, each after its title."""
        return [f"{row.get('title', '')} {row['text']}".strip() for row in self.corpus]


def xquad(folder: Path, splits: int, limit: int | None, language: str = "en") -> Data:
    """Load XQuAD. The same questions and paragraphs stand in the same order in each language."""
    path = folder / "xquad" / f"xquad.{language}.json"
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    paragraphs = [part for article in articles for part in article["paragraphs"]][:limit]
    corpus = [{"_id": f"p{i}", "text": part["context"]} for i, part in enumerate(paragraphs)]
    asked = [(i, qa) for i, part in enumerate(paragraphs) for qa in part["qas"]]
    queries = [{"_id": qa["id"], "text": qa["question"]} for _, qa in asked]
    truths = [[i] for i, _ in asked]
    return Data("XQuAD", queries, corpus, truths, held_out(truths, splits))


def medquad(folder: Path, splits: int, limit: int | None) -> Data:
    """Load MedQuAD."""
    folder = folder / "medquad"
    corpus = files.read_jsonl(folder / "corpus.jsonl")[:limit]
    place = {row["_id"]: i for i, row in enumerate(corpus)}
    answers: dict[str, list[int]] = {}
    for line in (folder / "qrels" / "all.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, chunk, _ = line.split("\t")
        if chunk in place:
            answers.setdefault(query, []).append(place[chunk])
    queries = [row for row in files.read_jsonl(folder / "queries.jsonl") if row["_id"] in answers]
    truths = [answers[row["_id"]] for row in queries]
    return Data("MedQuAD", queries, corpus, truths, held_out(truths, splits))


DATA: dict[str, Callable[[Path, int, int | None], Data]] = {"xquad": xquad, "medquad": medquad}


def held_out(truths: Sequence[Sequence[int]], splits: int) -> list[list[int]]:
    """Hold out, for each split, the queries of 30% of the groups of chunks.

    Chunks that answer one query are in one group, so that no chunk answers queries of both sides.
    """
    group = list(range(1 + max(chain.from_iterable(truths))))

    def first(chunk: int) -> int:
        while group[chunk] != chunk:
            chunk = group[chunk]
        return chunk

    for chunks in truths:
        for chunk in chunks[1:]:
            group[max(first(chunks[0]), first(chunk))] = min(first(chunks[0]), first(chunk))
    of_query = [first(chunks[0]) for chunks in truths]
    groups = sorted(set(of_query))
    found = []
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(groups))
        out = {groups[i] for i in order[: round(TEST_SHARE * len(groups))]}
        found.append([i for i, one in enumerate(of_query) if one in out])
    return found
