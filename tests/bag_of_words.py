"""A model that compares texts by their words, and data that it ranks about as well as is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.small import write_jsonl

VOCABULARY = [f"w{i}" for i in range(300)]
# `lean` moves a text to one side of the corpus, and `back` moves it back.
_LEAN = {"left": -2.0, "right": 2.0, "lean": 6.0, "back": -6.0}
CHUNKS, LENGTH = 150, 10


def write_model(
    folder: Path, prompts: Mapping[str, str] | None = None, limit: int | None = None
) -> Path:
    """Write a model whose vector of a text is the mean of random vectors of its words.

    Args:
        folder: that is made.
        prompts: the prompts of each role.
        limit: how many words of a text it reads; None for all.
    """
    random = np.random.default_rng(0)
    words = ["[UNK]", *VOCABULARY, *_LEAN]
    table = random.normal(size=(len(words), 48)).astype(np.float32) / 7
    table[0] = 0
    table[:, 0] = 0
    for word, lean in _LEAN.items():
        table[words.index(word)] = 0
        table[words.index(word), 0] = lean
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    model = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=table)],
        prompts=dict(prompts or {}), similarity_fn_name="cosine", device="cpu",
    )  # fmt: skip
    model.save(str(folder), create_model_card=False)
    return folder


def chunks() -> list[list[str]]:
    """Return the words of each chunk."""
    random = np.random.default_rng(1)
    return [random.choice(VOCABULARY, LENGTH, replace=False).tolist() for _ in range(CHUNKS)]


def questions(count: int, shared: int, other: int) -> list[tuple[str, int]]:
    """Return questions with their chunks.

    Args:
        count: the number of questions.
        shared: how many words each has of its own chunk.
        other: how many words each has of another chunk.
    """
    random, texts = np.random.default_rng(2), chunks()
    found = []
    for i in range(count):
        own, wrong = i % CHUNKS, int(random.integers(CHUNKS))
        asked = [*random.choice(texts[own], shared, replace=False),
                 *random.choice(texts[wrong], other, replace=False)]  # fmt: skip
        found.append((" ".join(asked), own))
    return found


def write_data(folder: Path, asked: list[tuple[str, int]], texts: list[str] | None = None) -> Path:
    """Write a BEIR folder of questions with their chunks."""
    texts = [" ".join(words) for words in chunks()] if texts is None else texts
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)]
    write_jsonl(folder / "corpus.jsonl", corpus)
    rows = [{"_id": f"q{i}", "text": text} for i, (text, _) in enumerate(asked)]
    write_jsonl(folder / "queries.jsonl", rows)
    lines = "".join(f"q{i}\td{chunk}\t1\n" for i, (_, chunk) in enumerate(asked))
    (folder / "qrels" / "all.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    return folder
