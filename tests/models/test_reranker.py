"""The kind of reranker that a folder holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from stage2.models.cross_encoder import CrossEncoder, cross_encoder_hash
from stage2.models.reranker import content_hash, is_reranker, load_reranker, reranker_hash
from stage2.models.sentence_transformers.chat_reranker import ChatReranker
from tests.model_folders import rewritten
from tests.small import make_cross_encoder
from tests.teaching import make_chat_reranker


def test_a_reranker_is_told_by_its_files(
    cross_encoder: Path, model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    assert is_reranker(cross_encoder)
    assert not is_reranker(model_dir)
    assert not is_reranker(backbone)
    assert not is_reranker(tmp_path)
    # sentence-transformers lists the transformer alone of a cross-encoder, and more of another.
    folder = make_cross_encoder(backbone, tmp_path / "listed", outputs=1)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "a.b.Transformer"}]
    for more, found in (("", True), ("Pooling", False), ("LogitScore", True)):
        rows = [*modules, *([{"type": f"a.b.{more}"}] if more else [])]
        (folder / "modules.json").write_text(json.dumps(rows))
        assert is_reranker(folder) == found
    (folder / "modules.json").write_text("{")
    assert is_reranker(folder)


def test_each_kind_is_loaded_and_hashed_as_itself(
    cross_encoder: Path, backbone: Path, tmp_path: Path
) -> None:
    chat = make_chat_reranker(backbone, tmp_path / "chat")
    assert is_reranker(chat)
    device = torch.device("cpu")
    kinds = [type(load_reranker(str(folder), device)) for folder in (cross_encoder, chat)]
    assert kinds == [CrossEncoder, ChatReranker]
    assert reranker_hash(str(cross_encoder)) == cross_encoder_hash(str(cross_encoder))
    assert reranker_hash(str(chat)) != cross_encoder_hash(str(chat))
    assert reranker_hash("owner/name") == "owner/name"


def test_whatever_changes_scores_changes_the_hash(backbone: Path, tmp_path: Path) -> None:
    plain = make_chat_reranker(backbone, tmp_path / "plain")
    folder = Path(shutil.copytree(plain, tmp_path / "m"))
    assert content_hash(folder) == reranker_hash(str(folder)) == reranker_hash(str(plain))
    hashes = [content_hash(folder)]
    (folder / "README.md").write_text("a model")
    assert content_hash(folder) == hashes[0]
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text("utf-8") + " yes", "utf-8")
    hashes.append(content_hash(folder))
    rewritten(folder, lambda weights: {name: 2 * value for name, value in weights.items()})
    hashes.append(content_hash(folder))
    (folder / "1_LogitScore").mkdir()
    (folder / "1_LogitScore" / "config.json").write_text("{}")
    hashes.append(content_hash(folder))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    hashes.append(content_hash(folder))
    assert len(set(hashes)) == 5
