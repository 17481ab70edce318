"""Which entries of config.json are accepted, and which would need unbounded memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import stage2
from stage2.models import hub
from stage2.models.init_model import init_model
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2, data_flags
from tests.model_folders import OPTIONS, copied

NUMBERS = [-1, 0, "64", 10**9, 10**18, None, True, 1.5, [], {}]
OURS = ("embedding_dim", "max_length")
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
         "intermediate_size", "max_position_embeddings", "type_vocab_size")  # fmt: skip
OTHERS = [
    ("layer_norm_eps", [-1, 0, "1", None, 10**9, float("nan")]),
    ("hidden_dropout_prob", [-1, "0.1", None, 10**9, 1, float("nan")]),
    ("attention_probs_dropout_prob", [-1, "0.1", None, 10**9, 1]),
    ("hidden_act", [1, "no such", None]),
    ("pad_token_id", [-2, "0", 10**9, 1.5]),
    ("chunk_size_feed_forward", [-1, "0", None]),
    ("model_type", [1, "no such", None, []]),
]
CASES = [("", name, value) for name in OURS for value in NUMBERS]
CASES += [("backbone", name, value) for name in SIZES for value in NUMBERS]
CASES += [("backbone", name, value) for name, values in OTHERS for value in values]
CASES += [("", "backbone", value) for value in (None, 1, "bert", [])]
CASES += [("", "model_type", value) for value in (None, 1, "bert")]


def refuse_entry(folder: Path, inside: str, name: str, value: Any, missing: bool) -> None:
    path = folder / "config.json"
    before = path.read_text(encoding="utf-8")
    config = json.loads(before)
    part = config[inside] if inside else config
    if missing:
        del part[name]
    else:
        part[name] = value
    path.write_text(json.dumps(config), encoding="utf-8")
    try:
        with pytest.raises(BadInputError) as caught:
            stage2.ProbabilisticGBERTV4.from_pretrained(folder)
    finally:
        path.write_text(before, encoding="utf-8")
    said = str(caught.value)
    assert str(path) in said, said
    assert name in said, said
    assert "\n" not in said


def test_every_entry_of_our_config_is_checked(model_dir: Path, tmp_path: Path) -> None:
    folder = copied(model_dir, tmp_path / "m")
    for inside, name, value in CASES:
        refuse_entry(folder, inside, name, value, missing=False)
    for inside, names in (
        ("", (*OURS, "backbone", "model_type")),
        ("backbone", (*SIZES, "hidden_act", "layer_norm_eps", "model_type")),
    ):
        for name in names:
            refuse_entry(folder, inside, name, None, missing=True)
    stage2.ProbabilisticGBERTV4.from_pretrained(folder)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [-1, "64", 10**9, None])
def test_an_encoders_entries_are_checked_too(
    backbone: Path, tmp_path: Path, name: str, value: Any
) -> None:
    folder = copied(backbone, tmp_path / "m", **{name: value})
    with pytest.raises(BadInputError, match=rf"config\.json: {name} is "):
        init_model(str(folder), [], **OPTIONS)


@pytest.mark.parametrize(
    "entries", [{"num_labels": 10**8}, {"num_hidden_groups": 10**9, "model_type": "albert"}]
)
def test_memory_that_no_weight_accounts_for_is_not_asked_for(
    backbone: Path, tmp_path: Path, entries: dict[str, Any]
) -> None:
    folder = copied(backbone, tmp_path / "m", **entries)
    with pytest.raises(BadInputError, match=f"{next(iter(entries))} is"):
        init_model(str(folder), [], **OPTIONS)


def test_a_model_far_larger_than_its_weights_is_refused(tmp_path: Path) -> None:
    with torch.device("meta"):
        sketch = torch.nn.Linear(10**6, 10**6)
    with pytest.raises(BadInputError, match="asks for 1,000,001,000,000 values in memory"):
        hub.check_memory(sketch, {"a": (5,)}, tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", "[" * 100_000, "{", '{"a": 1', "\ufeff{}", "null"])
def test_a_config_that_is_no_object_is_refused(
    model_dir: Path, tmp_path: Path, content: str, stage2: Stage2, corpus: dict[str, Path]
) -> None:
    folder = copied(model_dir, tmp_path / "m")
    (folder / "config.json").write_text(content, encoding="utf-8")
    result = stage2("mine", "--model", folder, *data_flags(corpus), exit_code=2)
    assert f"error: {folder / 'config.json'}: " in result.stderr


def test_a_long_file_for_a_config_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m")
    with open(folder / "config.json", "r+b") as file:
        file.truncate(1 << 25)
    with pytest.raises(BadInputError, match="is larger than"):
        init_model(str(folder), [], **OPTIONS)
