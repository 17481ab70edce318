"""A tiny encoder and small data, which are made here without a download."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

WORDS = tuple(
    dict.fromkeys(
        "the count of monte cristo sailed from marseilles to elba with a letter for the marshal "
        "and came back rich old ship treasure island prison abbot sea night lantern who where what "
        "did hide bring find open key door stone map captain sailor merchant diamond".split()
    )
)

# Texts of one to forty words.
TEXTS = [" ".join(WORDS[i : i + n]) for i, n in enumerate([1, 30, 5, 12, 2, 40, 7, 5])]


def write_backbone(folder: Path, width: int = 32) -> Path:
    """Write a tiny BERT with random weights and a tokenizer of whole words."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    # All versions of transformers can make a tokenizer from files.
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


def write_corpus(folder: Path) -> dict[str, Path]:
    """Write 12 questions over 20 chunks. Two questions share a chunk; some texts are annotated."""
    size = len(WORDS)
    texts = [" ".join(WORDS[(i * 7 + j * 3) % size] for j in range(9)) for i in range(20)]
    chunks = [{"chunk_id": f"c{i:02}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {
            "question": " ".join(WORDS[(i * 5 + j) % size] for j in range(6)),
            "chunk_id": f"c{i % 11:02}",
            "qa_id": f"q{i:02}",
            "answer": WORDS[i],
        }
        for i in range(12)
    ]
    annotated = texts[:15] + [row["question"] for row in qa[:6]]
    entities = [
        {"text": text, "targets": [{"char_start": 0, "char_end": len(text.split()[0])}]}
        for text in annotated
    ]
    paths = {name: folder / f"{name}.jsonl" for name in ("qa", "chunks", "entities")}
    for name, rows in (("qa", qa), ("chunks", chunks), ("entities", entities)):
        write_jsonl(paths[name], rows)
    return paths


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def write_answered_by_order(folder: Path, questions: Sequence[str], texts: Sequence[str]) -> None:
    """Write a BEIR folder in which the i-th text answers the i-th question."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)]
    write_jsonl(folder / "corpus.jsonl", corpus)
    queries = [{"_id": f"q{i}", "text": question} for i, question in enumerate(questions)]
    write_jsonl(folder / "queries.jsonl", queries)
    qrels = "".join(f"q{i}\td{i}\t1\n" for i in range(len(questions)))
    (folder / "qrels" / "all.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels)


def make_cross_encoder(backbone: Path, folder: Path, outputs: int) -> Path:
    """Write a sequence classifier with random weights and the tiny BERT's vocabulary."""
    config = transformers.AutoConfig.from_pretrained(backbone, num_labels=outputs)
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    return folder
