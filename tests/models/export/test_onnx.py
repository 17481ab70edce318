"""A model as a graph, run by onnxruntime without stage2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import transformers

from stage2.encoding.encode import encode
from stage2.models.auto import load_model
from stage2.models.deviation import HeldOut
from stage2.models.export import export
from stage2.utils.errors import BadInputError, RunFailedError
from tests.sentence_models import KINDS, write_encoder, write_model
from tests.small import TEXTS


def run_alone(folder: Path, texts: list[str], name: str = "sentence_embedding") -> np.ndarray:
    """Run a graph with the tokenizer beside it and nothing else."""
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=48, return_tensors="np")
    given = {one.name: tokens[one.name].astype(np.int64) for one in session.get_inputs()}
    found: np.ndarray = session.run([name], given)[0]
    return found


@pytest.mark.parametrize(
    "kind",
    ["bert, cls, query prompt", "qwen3, last token", "gemma3", "dot product", "mpnet", "static"],
)
def test_onnxruntime_gives_the_models_vectors(kind: str, tmp_path: Path) -> None:
    model = load_model(write_model(KINDS[kind], tmp_path))
    if kind in ("static", "gemma3"):
        said = "has no graph to run" if kind == "static" else "torch cannot write a Gemma3TextModel"
        with pytest.raises(BadInputError, match=said):
            export(model, "onnx", tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return
    export(model, "onnx", tmp_path / "out")
    for role in ("query", "document"):
        prompt = model.prompts.get(role, "")
        ours = encode(model, TEXTS, role=role, precision="fp32").mu
        found = run_alone(tmp_path / "out", [prompt + text for text in TEXTS])
        assert np.abs(found - ours).max() < 1e-5 * max(1, np.abs(ours).max())
        alone = run_alone(tmp_path / "out", [prompt + TEXTS[1]])
        assert np.abs(alone - ours[1]).max() < 1e-5 * max(1, np.abs(ours).max())


def test_the_folder_is_that_of_the_library(tmp_path: Path) -> None:
    export(load_model(write_encoder(KINDS["roberta"], tmp_path / "in")), "onnx", tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "modules.json").read_text("utf-8"))
    assert [row["type"].rsplit(".", 1)[-1] for row in rows] == ["Transformer", "Pooling"]
    assert not list((tmp_path / "out").glob("*.safetensors"))
    states = run_alone(tmp_path / "out", TEXTS[2:3], "last_hidden_state")
    mean = states[0].mean(axis=0)
    vector = run_alone(tmp_path / "out", TEXTS[2:3])[0]
    assert np.abs(mean / np.linalg.norm(mean) - vector).max() < 1e-5


def test_a_graph_that_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_encoder(KINDS["roberta"], tmp_path / "in"))
    monkeypatch.setattr("stage2.models.export.onnx.pooled", lambda states, *_: states[:, 0])
    rows = np.arange(len(TEXTS))
    lists = np.arange(len(TEXTS) + 1)
    held_out = HeldOut("texts", TEXTS, TEXTS, rows, lists, np.ones_like(rows))
    with pytest.raises(RunFailedError, match="too far from"):
        export(model, "onnx", tmp_path / "out", held_out)
    assert not (tmp_path / "out").exists()


def test_a_prompt_that_is_not_pooled_is_refused(tmp_path: Path) -> None:
    model = load_model(write_model(KINDS["prompt not pooled"], tmp_path))
    with pytest.raises(BadInputError, match="pools a text without its prompt"):
        export(model, "onnx", tmp_path / "out")
