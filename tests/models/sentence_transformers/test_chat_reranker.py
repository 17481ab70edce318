"""Rerankers that are language models, against sentence-transformers' own scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder

from stage2.models.reranker import load_reranker
from stage2.models.sentence_transformers.chat_reranker import ChatReranker
from stage2.utils.errors import BadInputError
from tests.model_folders import change, copied, rewritten
from tests.small import TEXTS
from tests.teaching import make_chat_reranker

CPU = torch.device("cpu")
PAIRS = [(TEXTS[n % 8], TEXTS[(3 * n + 1) % 8]) for n in range(20)]


@pytest.fixture(scope="module")
def plain(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder without modules.json, as language models lie on the hub."""
    return make_chat_reranker(backbone, tmp_path_factory.mktemp("plain") / "m")


@pytest.fixture(scope="module")
def listed(plain: Path) -> Path:
    """Return a folder that sentence-transformers wrote, with a prompt and other answers."""
    library = CrossEncoder(str(plain), device="cpu", local_files_only=True)
    library[1].true_token_id, library[1].false_token_id = 7, 11
    library.prompts, library.default_prompt_name = {"web": "find the ship"}, "web"
    library.save_pretrained(str(plain.parent / "listed"), create_model_card=False)
    return plain.parent / "listed"


def expected(folder: Path, **more: Any) -> Any:
    library = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    return library.predict(PAIRS, show_progress_bar=False, **more)


@pytest.mark.parametrize("kind", ["plain", "listed"])
def test_scores_are_the_librarys(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(kind)
    monkeypatch.setattr("stage2.models.sentence_transformers.chat_reranker._WINDOW", 7)
    done: list[tuple[int, int]] = []
    found = load_reranker(str(folder), CPU).score(
        *map(list, zip(*PAIRS, strict=True)),
        precision="fp32", progress=lambda *count: done.append(count),
    )  # fmt: skip
    logits = expected(folder, activation_fn=torch.nn.Identity())
    assert found == pytest.approx(logits, abs=1e-5)
    assert np.ptp(found) > 0.1
    assert 1 / (1 + np.exp(-found)) == pytest.approx(expected(folder), abs=1e-5)
    assert done == [(7, 20), (14, 20), (20, 20)]


def test_what_is_listed_decides(plain: Path, listed: Path) -> None:
    scores = [expected(folder, activation_fn=torch.nn.Identity()) for folder in (plain, listed)]
    assert np.abs(scores[0] - scores[1]).max() > 0.1


def without_roles(folder: Path) -> None:
    template = "{% for message in messages if message.role == 'user' %}{{ message.content }}"
    (folder / "chat_template.jinja").write_text(template + "{% endfor %}", "utf-8")


def without_answers(folder: Path) -> None:
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text("utf-8"))
    told["added_tokens"] = [one for one in told["added_tokens"] if one["content"] != "no"]
    path.write_text(json.dumps(told), "utf-8")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda folder: (folder / "chat_template.jinja").unlink(), "without a chat template"),
        (without_roles, "cannot score a pair of texts .The chat template of"),
        (without_answers, "no token for yes or no"),
        (
            lambda folder: rewritten(
                folder, lambda w: {k: v for k, v in w.items() if "layers.1" not in k}
            ),
            "missing model.layers.1",
        ),
        (
            lambda folder: rewritten(folder, lambda w: {k: v * torch.nan for k, v in w.items()}),
            "not finite|NaN",
        ),
        (
            lambda folder: change(
                folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Config"}
            ),
            "names code of the model's own",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(
    plain: Path, tmp_path: Path, how: Callable[[Path], Any], said: str
) -> None:
    folder = copied(plain, tmp_path / "m")
    how(folder)
    with pytest.raises(BadInputError, match=said) as refused:
        load_reranker(str(folder), CPU, "--teacher")
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"type": "own.Transformer"}, {"type": "own.LogitScore"}], "no code of a model's own"),
        ([{"type": "sentence_transformers.LogitScore"}], "its modules are"),
        (
            [
                {"type": "sentence_transformers.base.modules.Transformer", "path": "../.."},
                {"type": "sentence_transformers.cross_encoder.modules.LogitScore"},
            ],
            "lies outside the folder",
        ),
    ],
)
def test_modules_that_are_not_the_librarys_two_are_refused(
    plain: Path, tmp_path: Path, rows: list[dict[str, str]], said: str
) -> None:
    folder = copied(plain, tmp_path / "m")
    (folder / "modules.json").write_text(json.dumps(rows))
    with pytest.raises(BadInputError, match=said):
        ChatReranker.load(str(folder), CPU, "--teacher")


def test_a_model_of_more_than_texts_is_refused(listed: Path, tmp_path: Path) -> None:
    folder = copied(listed, tmp_path / "m")
    change(folder / "sentence_bert_config.json", transformer_task="any-to-any")
    with pytest.raises(BadInputError, match=r"texts alone|cannot be loaded"):
        ChatReranker.load(str(folder), CPU, "--teacher")
