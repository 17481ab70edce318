"""Loading models of other people: what is refused, and that none of their code is run."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import stage2
from stage2.models import hub
from stage2.models.gbert.model import ProbabilisticGBERTV4
from stage2.models.init_model import init_model
from stage2.utils import tensors
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import save_state_dict
from tests.conftest import Stage2, data_flags
from tests.model_folders import OPTIONS, WEIGHTS, change, copied, rewritten


@pytest.mark.parametrize(
    "name",
    ["./model", "../model", "/model", "~/model", "a/b/c", "here/typo", "model.pt", "org/x.bin",
     "a b", "a\\b", "", "org/", "https://x/y", "link"],
)  # fmt: skip
def test_what_looks_like_a_path_is_never_asked_of_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", _never)
    if not name:
        assert hub.looks_like_path(name)
        return
    with pytest.raises(BadInputError, match=r"no such folder|is no folder"):
        hub.folder_of(name, "backbone")


def _never(*_: Any, **__: Any) -> None:
    raise AssertionError("the hub was asked")


@pytest.mark.parametrize(
    "name", ["org/model", "roberta-base", "hub:here/model", "BAAI/bge-en-v1.5"]
)
def test_the_hub_is_asked_for_what_can_be_no_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, Any]] = []

    def given(name: str, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", given)
    assert hub.folder_of(name, "backbone") == tmp_path
    assert {name for name, _ in asked} == {name.removeprefix("hub:")}
    assert not any(pattern.endswith(".py") for _, patterns in asked for pattern in patterns)


def test_a_hub_out_of_reach_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route to host\nsecond line")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(BadInputError, match=r"org/model: neither.*no route to host\. Without"):
        hub.folder_of("org/model", "backbone")
    with pytest.raises(BadInputError, match="no id of the hub"):
        hub.folder_of("hub:../model", "backbone")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that a model's code would create. Nobody may be asked on standard input."""
    monkeypatch.setattr("builtins.input", _never)
    return tmp_path / "ran"


def plant(folder: Path, trap: Path, *names: str) -> None:
    code = f"open({str(trap)!r}, 'w').close()\n"
    code += "from transformers import BertConfig as Conf, BertModel as Model\n"
    code += "from transformers import BertTokenizerFast as Tok\n"
    for name in names:
        (folder / f"{name}.py").write_text(code)


AUTO = {"AutoConfig": "own.Conf", "AutoModel": "own.Model",
        "AutoModelForSequenceClassification": "own.Model"}  # fmt: skip
OWN_TOKENIZER = {"auto_map": {"AutoTokenizer": ["own.Tok", "own.Tok"]}, "tokenizer_class": "Tok"}


def test_an_encoders_own_code_is_not_run(
    backbone: Path, tmp_path: Path, trap: Path, stage2: Stage2, corpus: dict[str, Path]
) -> None:
    folder = copied(backbone, tmp_path / "m", auto_map=AUTO, model_type="own")
    plant(folder, trap, "own")
    result = stage2("init", "--backbone", folder, "--no-fit", exit_code=2)
    assert "never run" in result.stderr
    result = stage2("mine", *data_flags(corpus), "--cross-encoder", folder, "--backbone", backbone,
                    exit_code=2)  # fmt: skip
    assert "never run" in result.stderr
    assert not trap.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_tokenizers_own_code_is_not_run(
    backbone: Path, model_dir: Path, tmp_path: Path, trap: Path, stage2: Stage2,
    corpus: dict[str, Path], legacy: bool,
) -> None:  # fmt: skip
    own = OWN_TOKENIZER | ({"auto_map": ["own.Tok", "own.Tok"]} if legacy else {})
    for source, flags in ((backbone, ["init", "--no-fit", "--backbone"]),
                          (model_dir, ["mine", *data_flags(corpus), "--model"])):  # fmt: skip
        folder = copied(source, tmp_path / source.name)
        change(folder / "tokenizer_config.json", **own)
        plant(folder, trap, "own", "tokenization_tok")
        result = stage2(*flags, folder, exit_code=2)
        assert "its tokenizer_config.json names code" in result.stderr
    assert not trap.exists()
    assert not (tmp_path / "out").exists()


def test_a_class_named_without_a_map_runs_nothing(
    backbone: Path, tmp_path: Path, trap: Path
) -> None:
    folder = copied(backbone, tmp_path / "m")
    change(folder / "tokenizer_config.json", tokenizer_class="own.Tok")
    plant(folder, trap, "own", "tokenization_own")
    with suppress(BadInputError):
        init_model(str(folder), [], **OPTIONS)
    assert not trap.exists()


def test_code_beside_a_kind_that_is_known_is_done_without(
    backbone: Path, tmp_path: Path, trap: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(backbone, tmp_path / "m", auto_map=AUTO)
    plant(folder, trap, "own")
    caplog.set_level("INFO", "stage2")
    init_model(str(folder), [], **OPTIONS)
    assert "is not run" in caplog.text
    assert not trap.exists()


def test_a_program_of_the_hub_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m", attn_implementation="someone/kernel")
    with pytest.raises(BadInputError, match="names a program on the hub"):
        init_model(str(folder), [], **OPTIONS)


def test_updates_of_another_model_are_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}')
    with pytest.raises(BadInputError, match="low-rank updates of another model"):
        init_model(str(folder), [], **OPTIONS)


def test_our_own_model_is_no_encoder(model_dir: Path) -> None:
    with pytest.raises(BadInputError, match="give it as --model"):
        init_model(str(model_dir), [], **OPTIONS)


def test_weights_under_other_names_are_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m")
    rewritten(folder, lambda state: {f"wrapped.net.{key}": value for key, value in state.items()})
    with pytest.raises(BadInputError, match=r"missing embeddings.*more; unexpected wrapped\.net\."):
        init_model(str(folder), [], **OPTIONS)


@pytest.mark.parametrize(
    "lost", ["encoder.layer.1.output.dense.bias", "embeddings.LayerNorm.weight"]
)
def test_a_missing_weight_is_named(backbone: Path, tmp_path: Path, lost: str) -> None:
    folder = copied(backbone, tmp_path / "m")
    rewritten(folder, lambda state: {key: value for key, value in state.items() if key != lost})
    with pytest.raises(BadInputError, match=f"missing {lost}"):
        init_model(str(folder), [], **OPTIONS)


def test_a_layer_too_many_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m", num_hidden_layers=1)
    with pytest.raises(BadInputError, match="num_hidden_layers is 1, and the weights have 2"):
        init_model(str(folder), [], **OPTIONS)


def test_a_pooler_may_be_missing_and_is_then_always_the_same(
    backbone: Path, tmp_path: Path
) -> None:
    folder = copied(backbone, tmp_path / "m")
    rewritten(folder, lambda state: {k: v for k, v in state.items() if "pooler" not in k})
    one, two = (init_model(str(folder), [], **OPTIONS).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not one["backbone.pooler.dense.weight"].any()


def test_a_head_that_is_not_used_is_told_of(
    backbone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = transformers.AutoConfig.from_pretrained(backbone)
    whole = transformers.BertForMaskedLM(config)
    folder = copied(backbone, tmp_path / "m")
    whole.save_pretrained(folder)
    caplog.set_level("INFO", "stage2")
    made = init_model(str(folder), [], **OPTIONS)
    assert "a head that is not used: cls.predictions" in caplog.text
    for name, tensor in whole.bert.state_dict().items():
        assert torch.equal(made.backbone.state_dict()[name], tensor), name


BAD = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", BAD)
def test_weights_that_are_not_finite_are_named(
    backbone: Path, tmp_path: Path, value: float
) -> None:
    name = "encoder.layer.1.output.dense.weight"

    def spoiled(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        state[name][3, 4] = value
        return state

    folder = copied(backbone, tmp_path / "m")
    rewritten(folder, spoiled)
    with pytest.raises(BadInputError, match=rf"model\.safetensors: {name} .*1 values"):
        init_model(str(folder), [], **OPTIONS)


def test_the_same_in_our_folder_and_in_a_pt(
    model: stage2.ProbabilisticGBERTV4, backbone: Path, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.energy_proj.bias[0] = torch.nan
    model.save_pretrained(tmp_path / "m")
    model.save_reference(tmp_path / "m.pt")
    with pytest.raises(BadInputError, match=r"m/model\.safetensors: energy_proj\.bias"):
        stage2.ProbabilisticGBERTV4.from_pretrained(tmp_path / "m")
    with pytest.raises(BadInputError, match=r"m\.pt: energy_proj\.bias"):
        stage2.ProbabilisticGBERTV4.from_reference(tmp_path / "m.pt", backbone)


def test_whole_numbers_are_no_weights(
    model: stage2.ProbabilisticGBERTV4, backbone: Path, tmp_path: Path
) -> None:
    state = model.state_dict()
    state["energy_proj.weight"] = state["energy_proj.weight"].to(torch.int8)
    save_state_dict(state, tmp_path / "m.pt")
    with pytest.raises(BadInputError, match=r"energy_proj\.weight is of int8"):
        stage2.ProbabilisticGBERTV4.from_reference(tmp_path / "m.pt", backbone)


def test_pickled_weights_are_read_as_tensors_alone(
    backbone: Path, tmp_path: Path, trap: Path
) -> None:
    folder = copied(backbone, tmp_path / "m")
    state = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    torch.save(state, folder / tensors.PICKLED)
    same = init_model(str(folder), [], **OPTIONS).backbone.state_dict()
    assert all(torch.equal(same[name], tensor) for name, tensor in state.items())

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)

    torch.save({**state, "x": Evil()}, folder / tensors.PICKLED)
    with pytest.raises(BadInputError, match="could run code"):
        init_model(str(folder), [], **OPTIONS)
    assert not trap.exists()


def test_a_list_of_weights_names_files_beside_it(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m")
    os.replace(folder / WEIGHTS, folder / "model-1.safetensors")
    index = folder / f"{WEIGHTS}.index.json"
    names = tensors.shapes_of([folder / "model-1.safetensors"])
    index.write_text(
        json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "model-1.safetensors")})
    )
    init_model(str(folder), [], **OPTIONS)
    for bad in ('{"weight_map": {"a": "../model-1.safetensors"}}', '{"weight_map": []}', "[", "{}",
                '{"weight_map": {"a": "model-2.safetensors"}}'):  # fmt: skip
        index.write_text(bad)
        with pytest.raises(BadInputError, match=r"not a list of files|no such file"):
            init_model(str(folder), [], **OPTIONS)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "other"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_pipe_is_not_waited_for(
    backbone: Path, model_dir: Path, tmp_path: Path, name: str, ours: bool
) -> None:
    folder = copied(model_dir if ours else backbone, tmp_path / "m")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    load = ProbabilisticGBERTV4.from_pretrained if ours else hub.load_backbone
    with pytest.raises(BadInputError, match="is no regular file"):
        load(folder)


def test_an_encoder_is_shown_by_its_name() -> None:
    snapshot = Path("/cache/models--org--some-name/snapshots/0123abc")
    assert hub.shown_name(snapshot) == "org/some-name"
    assert hub.shown_name(Path("/encoders/mine")) == "mine"
    assert hub.shown_name(Path("/encoders/a\nb")) == "a\\nb"
    assert hub.shown_name(Path(hub.default_backbone())) == "all-MiniLM-L6-v2"


def test_a_folder_without_weights_is_no_encoder(backbone: Path, tmp_path: Path) -> None:
    assert hub.is_encoder(backbone)
    shutil.copy(backbone / "config.json", tmp_path)
    assert not hub.is_encoder(tmp_path)
    assert not hub.is_encoder(tmp_path / "gone")
