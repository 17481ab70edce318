"""A model as a graph, run by onnxruntime without stage2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import transformers

from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role, prompts_of
from stage2.models.auto import load_model
from stage2.models.deviation import HeldOut
from stage2.models.export import export
from stage2.utils.errors import BadInputError, RunFailedError
from tests.sentence_models import KINDS, write_encoder, write_model
from tests.small import TEXTS, WORDS

Run = Callable[[list[str]], np.ndarray]


def reader(folder: Path, name: str = "sentence_embedding") -> Run:
    """Return a function that runs a graph with the tokenizer beside it and nothing else."""
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def run(texts: list[str]) -> np.ndarray:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=48, return_tensors="np")
        given = {one.name: tokens[one.name].astype(np.int64) for one in session.get_inputs()}
        found: np.ndarray = session.run([name], given)[0]
        return found

    return run


def hold(model: Encoder, run: Run) -> None:
    """Hold a graph to its model at lengths and batches other than those of its trace."""
    texts = [*TEXTS, " ".join((WORDS * 2)[:46])]
    roles: tuple[Role, ...] = ("query", "document")
    for role in roles:
        ours = encode(model, texts, role=role, precision="fp32").mu
        given = [prompts_of(model).get(role, "") + text for text in texts]
        # All at once, each alone, and each beside one of another length.
        found = [run(given), np.concatenate([run([text]) for text in given])]
        found.append(np.stack([run([text, given[row - 1]])[0] for row, text in enumerate(given)]))
        for each in found:
            assert np.abs(each - ours).max() < 1e-5 * max(1, np.abs(ours).max())


@pytest.mark.parametrize(
    "kind",
    ["bert, cls, query prompt", "dot product", "roberta", "xlm-roberta", "distilbert", "mpnet",
     "deberta-v2", "modernbert", "qwen3, last token", "weights of words"],
)  # fmt: skip
def test_onnxruntime_gives_the_models_vectors(kind: str, tmp_path: Path) -> None:
    model = load_model(write_model(KINDS[kind], tmp_path))
    export(model, "onnx", tmp_path / "out")
    hold(model, reader(tmp_path / "out"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [("static", "has no graph to run"), ("gemma3", "torch cannot write a Gemma3TextModel")],
)
def test_a_model_that_has_no_graph_is_refused(kind: str, said: str, tmp_path: Path) -> None:
    model = load_model(write_model(KINDS[kind], tmp_path))
    with pytest.raises(BadInputError, match=said):
        export(model, "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_folder_is_that_of_the_library(tmp_path: Path) -> None:
    export(load_model(write_encoder(KINDS["roberta"], tmp_path / "in")), "onnx", tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "modules.json").read_text("utf-8"))
    assert [row["type"].rsplit(".", 1)[-1] for row in rows] == ["Transformer", "Pooling"]
    assert not list((tmp_path / "out").glob("*.safetensors"))
    states = reader(tmp_path / "out", "last_hidden_state")(TEXTS[2:3])
    mean = states[0].mean(axis=0)
    vector = reader(tmp_path / "out")(TEXTS[2:3])[0]
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
