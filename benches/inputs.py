"""Synthetic inputs: running text with a Zipf distribution of words, and vectors."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_VOCABULARY = 20_000
_POOL_WORDS = 1_000_000
# Texts have 27 to 50 words, so a million chunks take 270 MB.
_SHORTEST, _LONGEST = 27, 50


@functools.cache
def _pool(size: int) -> tuple[str, npt.NDArray[np.int64]]:
    """Make a text of `size` words. Return it with the start of each word."""
    random = np.random.default_rng(0)
    letters = np.array(list("etaoinsrhldcumfpgwybvkéöß"))
    letter_rank = random.zipf(1.3, (_VOCABULARY, 9)) % len(letters)
    lengths = random.integers(2, 10, _VOCABULARY)
    vocabulary = [
        "".join(letters[ranks[:length]]) for ranks, length in zip(letter_rank, lengths, strict=True)
    ]
    words = [vocabulary[i] for i in (random.zipf(1.2, size) % _VOCABULARY).tolist()]
    # About every second text has a character that a file must escape.
    for i in random.choice(size, size // 60, replace=False).tolist():
        words[i] = f'"{words[i]}"' if i % 2 else f"{words[i]}\n"
    lengths = np.fromiter(map(len, words), np.int64, size)
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    return " ".join(words), starts


def texts(count: int, seed: int, pool_words: int = _POOL_WORDS) -> Iterator[str]:
    """Yield texts of about 230 bytes, which are parts of one text of `pool_words` words."""
    pool, starts = _pool(pool_words)
    random = np.random.default_rng(seed)
    first = random.integers(0, pool_words - _LONGEST, count)
    last = first + random.integers(_SHORTEST, _LONGEST, count)
    for start, end in zip(starts[first].tolist(), starts[last].tolist(), strict=True):
        yield pool[start : end - 1]


def chunks_file(folder: Path, count: int) -> Path:
    """Write a JSONL file of chunk ids and texts, unless it exists, and return its path."""
    path = folder / f"chunks-{count}.jsonl"
    if not path.exists():
        with path.open("w", encoding="utf-8") as file:
            for i, text in enumerate(texts(count, seed=1)):
                quoted = json.dumps(text, ensure_ascii=False)
                file.write(f'{{"chunk_id": "chunk_{i}", "text": {quoted}}}\n')
    return path


def questions_file(folder: Path, count: int, chunks: int) -> Path:
    """Write a JSONL file of questions unless it exists, and return its path.

    Each question has one chunk, and the questions are spread over all chunks.
    """
    path = folder / f"questions-{count}-{chunks}.jsonl"
    if not path.exists():
        with path.open("w", encoding="utf-8") as file:
            for i in range(count):
                question = f"what about number {i} and its consequences for the rest of the story?"
                chunk = f"chunk_{i * chunks // count}"
                row = {"question": question, "chunk_id": chunk, "qa_id": f"qa-{i}"}
                file.write(json.dumps(row) + "\n")
    return path


def unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Scale vectors to length 1."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors, np.float32)


def isotropic(count: int, width: int, seed: int) -> Vectors:
    """Make unit vectors with uniform directions, which are the hardest case for a filter."""
    return unit(np.random.default_rng(seed).standard_normal((count, width), np.float32))


def clustered(queries: int, count: int, width: int) -> tuple[Vectors, Vectors]:
    """Make rows around 2,000 centres and queries near rows, similar to vectors of encoders."""
    random = np.random.default_rng(0)

    def noise(rows: int) -> Vectors:
        return random.standard_normal((rows, width), np.float32) / np.float32(np.sqrt(width))

    centres = isotropic(2000, width, seed=1)
    rows = unit(centres[random.integers(0, len(centres), count)] + 0.6 * noise(count))
    return unit(rows[random.integers(0, count, queries)] + 0.3 * noise(queries)), rows
