"""With the real encoder and real text, bf16 and float32 give the same hard examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stage2 import Dataset
from stage2.encoding.ranking_lists import ranking_lists
from stage2.evaluation.evaluate import evaluate
from stage2.models.auto import load_model
from stage2.models.hub import DEFAULT_HUB_ID, default_backbone
from stage2.utils.device import multiplies
from tests.small import write_jsonl

TOPK = 3


@pytest.mark.slow
@pytest.mark.skipif(default_backbone() == DEFAULT_HUB_ID, reason="the extra minilm is not there")
@pytest.mark.skipif(
    not multiplies(torch.bfloat16, torch.device("cpu")), reason="bf16 is emulated: minutes"
)
def test_the_hard_set_of_xquad_is_that_of_float32(xquad: Path, tmp_path: Path) -> None:
    articles = json.loads((xquad / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    # Every other passage: bf16 is slow where AMX is switched off.
    passages = [passage for article in articles for passage in article["paragraphs"]][::2]
    chunks = [{"chunk_id": i, "text": passage["context"]} for i, passage in enumerate(passages)]
    qa = [
        {"question": asked["question"], "chunk_id": i, "qa_id": asked["id"]}
        for i, passage in enumerate(passages)
        for asked in passage["qas"]
    ]
    write_jsonl(tmp_path / "chunks.jsonl", chunks)
    write_jsonl(tmp_path / "qa.jsonl", qa)
    dataset = Dataset.load(tmp_path / "qa.jsonl", tmp_path / "chunks.jsonl")
    model = load_model(default_backbone())
    lists = ranking_lists(model, dataset.construct(5, 0), None, corpus=True)
    hard = {}
    for precision in ("fp32", "bf16"):
        found = evaluate(model, lists, precision)
        assert found.corpus is not None
        for source, scored in (("candidates", found.candidates), ("corpus", found.corpus)):
            hard[precision, source] = scored.ranking.rank > TOPK
    for source in ("candidates", "corpus"):
        agreeing = np.mean(hard["fp32", source] == hard["bf16", source])
        assert agreeing >= 0.98, f"{source}: {agreeing:.1%}"
        print(f"{source}: {agreeing:.2%} of {len(qa)} questions, {hard['fp32', source].sum()} hard")
