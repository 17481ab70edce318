"""A model as a graph of OpenVINO, run by it without stage2."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import transformers

from stage2 import ProbabilisticGBERTV4
from stage2.models.auto import load_model
from stage2.models.export import export, openvino
from stage2.utils.errors import BadInputError
from tests.models.export.test_onnx import Run, hold
from tests.sentence_models import KINDS, write_model


def reader(folder: Path) -> Run:
    """Return a function that runs a graph with the tokenizer beside it and nothing else."""
    core = openvino.library().Core()
    graph = core.read_model(folder / "openvino" / "openvino_model.xml")
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def run(texts: list[str]) -> np.ndarray:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=48, return_tensors="np")
        given = {name: tokens[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
        found: np.ndarray = compiled(given)["sentence_embedding"].copy()
        return found

    return run


def test_it_sends_nothing_to_its_makers() -> None:
    openvino.library()
    loaded = sys.modules["openvino.tools.ovc.telemetry_utils"]
    assert loaded.tm.__name__ == "openvino.tools.ovc.telemetry_stub"


@pytest.mark.parametrize("kind", ["bert, cls, query prompt", "mpnet", "qwen3, last token"])
def test_openvino_gives_the_models_vectors(kind: str, tmp_path: Path) -> None:
    model = load_model(write_model(KINDS[kind], tmp_path))
    export(model, "openvino", tmp_path / "out")
    hold(model, reader(tmp_path / "out"))


def test_a_gbert_has_its_folder(model: ProbabilisticGBERTV4, tmp_path: Path) -> None:
    for name in ("first", "second"):
        export(model, "openvino", tmp_path / name)
    hold(model, reader(tmp_path / "first"))
    parts = [tmp_path / "first" / "openvino" / f"openvino_model.{kind}" for kind in ("xml", "bin")]
    assert [path for path in (tmp_path / "first" / "openvino").iterdir() if path not in parts] == []
    # No weights of the transformer, no graph of ONNX, and none of 16 bits.
    assert not list((tmp_path / "first").glob("*.safetensors"))
    assert not list((tmp_path / "first").rglob("*.onnx"))
    assert 'element_type="f16"' not in parts[0].read_text("utf-8")
    for path in parts:
        assert path.read_bytes() == (tmp_path / "second" / "openvino" / path.name).read_bytes()


def test_what_openvino_does_not_know_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from onnx import helper

    def write_graph(_model: object, _folder: Path, path: Path) -> None:
        names = {name: ["texts", "tokens"] for name in ("input_ids", "attention_mask")}
        given = [helper.make_tensor_value_info(name, 7, shape) for name, shape in names.items()]
        gives = [helper.make_tensor_value_info("sentence_embedding", 1, ["texts", "tokens"])]
        node = helper.make_node("Unheard", [*names], ["sentence_embedding"], domain="of")
        domains = [helper.make_opsetid("", 17), helper.make_opsetid("of", 1)]
        graph = helper.make_graph([node], "graph", given, gives)
        onnx.save(helper.make_model(graph, opset_imports=domains), path)

    model = load_model(write_model(KINDS["bert, cls, query prompt"], tmp_path))
    monkeypatch.setattr(openvino, "write_graph", write_graph)
    with pytest.raises(BadInputError, match=r"cannot run the graph of a BertModel .*Unheard"):
        export(model, "openvino", tmp_path / "out")
    assert not (tmp_path / "out").exists()
