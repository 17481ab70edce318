"""Synthetic questions and chunks: shared judgements as in Cranfield, and pages of one template."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import stage2
from tests.small import WORDS, write_jsonl


def cranfield_like(
    seed: int = 0, questions: int = 225, chunks: int = 1400, judged: int = 7
) -> list[list[int]]:
    """Return the chunks that answer each question. Most are shared with others of its topic.

    A broad topic has most of the questions, and many narrow ones have few.
    """
    random = np.random.default_rng(seed)
    topics = 60
    weights = 1 / np.arange(1, topics + 1) ** 1.1
    topic = np.sort(random.choice(topics, questions, p=weights / weights.sum()))
    # Narrow topics have their own chunks. The broad ones share the first half of the chunks.
    half, width = chunks // 2, chunks // 2 // topics
    rows = []
    for number in topic.tolist():
        first, size = (0, half) if number < 16 else (half + number * width, width)
        near = np.abs(random.normal(0, size / 4, 4 * judged)).astype(int) % size
        rows.append([first + chunk for chunk in dict.fromkeys(near.tolist())][:judged])
    return rows


def unlike(count: int) -> list[str]:
    """Make texts that have nothing in common."""
    random = np.random.default_rng(1)
    return ["".join(map(chr, random.integers(0x4E00, 0x9FA5, 40))) for _ in range(count)]


def catalogue(count: int) -> list[str]:
    """Make pages of one template, each about another article."""
    random = np.random.default_rng(2)
    names = [
        f"{first}{last}"
        for first in ("Nor", "Sud", "Est", "Wes", "Mid", "Alt", "Ber", "Cal", "Dor", "Fen")
        for last in ("wick", "berg", "ton", "ville", "heim", "stad", "mouth", "ford", "ley", "by")
    ]
    return [
        f"{names[random.integers(100)]} kettle, article {number * 7919 % 99_991}. Made with care "
        "from the best materials, with a warranty of three years. Price: "
        f"{random.integers(5, 999)}.99 euros. Free delivery within {random.integers(1, 9)} days; "
        "returns are accepted within thirty days of the purchase."
        for number in range(count)
    ]


def samples_of(
    folder: Path, texts: list[str], relevant: list[list[int]], questions: list[str] | None = None
) -> stage2.Samples:
    """Make samples of questions with these ground truths."""
    chunks = [{"chunk_id": f"c{i:05}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {"question": questions[i] if questions else f"q {i}", "qa_id": f"q{i:05}",
         "chunk_ids": [f"c{chunk:05}" for chunk in row]}
        for i, row in enumerate(relevant)
    ]  # fmt: skip
    dataset = stage2.Dataset.load(
        qa=write_jsonl(folder / "qa.jsonl", qa),
        chunks=write_jsonl(folder / "chunks.jsonl", chunks),
    )
    return dataset.construct(1, 0)


def write_questions(folder: Path, relevant: list[list[int]]) -> list[object]:
    count = 1 + max(chunk for row in relevant for chunk in row)
    size = len(WORDS)
    texts = [" ".join(WORDS[(i * 7 + j * (3 + i)) % size] for j in range(9)) for i in range(count)]
    chunks = [{"chunk_id": f"c{i}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {"question": f"{WORDS[i % size]} {WORDS[i * 3 % size]} {i}?", "qa_id": f"q{i:02}",
         "chunk_ids": [f"c{chunk}" for chunk in row]}
        for i, row in enumerate(relevant)
    ]  # fmt: skip
    return [
        "--qa", write_jsonl(folder / "qa.jsonl", qa),
        "--chunks", write_jsonl(folder / "chunks.jsonl", chunks),
        "--negatives", 2, "--epochs", 1, "--batch-size", 4,
    ]  # fmt: skip
