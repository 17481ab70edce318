"""What holds on a CPU also holds on a GPU. Without a GPU these tests are skipped."""

from __future__ import annotations

import itertools
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import stage2
from stage2.config import Settings
from stage2.encoding.kernels import unpadded
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.training.dev_corpus import Dev, LastEpoch
from stage2.training.state import find_state
from stage2.training.step import accumulate_gradients
from stage2.training.train import Callbacks, loss_scaler, train
from stage2.usage import STAGES
from stage2.utils import distributed, files
from stage2.utils.tensors import copy_of_weights
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.mining.test_search_cuda import on_device
from tests.small import WORDS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

TEXTS = [" ".join(WORDS[i : i + n]) for i, n in enumerate([1, 30, 5, 12, 2, 40, 7, 5] * 3)]
SETTINGS = Settings(precision="fp32", pairs="all")


@pytest.fixture
def on_gpu(model: stage2.ProbabilisticGBERTV4) -> stage2.ProbabilisticGBERTV4:
    """Load the tiny model onto the device."""
    return model.to("cuda")


@pytest.fixture
def lists(on_gpu: stage2.ProbabilisticGBERTV4, corpus: dict[str, Path]) -> RankingLists:
    dataset = stage2.Dataset.load(**corpus)
    return ranking_lists(on_gpu, dataset.construct(5, 0), dataset.annotations)


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-5), ("bf16", 0.03), ("fp16", 0.01)])
def test_vectors_are_those_of_the_cpu(
    model_dir: Path, on_gpu: stage2.ProbabilisticGBERTV4, precision: str, close: float
) -> None:
    entities = [[(0, 3)] if i % 2 else [] for i in range(len(TEXTS))]
    right = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir).encode(
        TEXTS, entities, precision="fp32"
    )
    found = on_gpu.encode(TEXTS, entities, precision=precision)
    assert found.has_entity.tolist() == right.has_entity.tolist()
    for name in ("mu", "entity"):
        np.testing.assert_allclose(getattr(found, name), getattr(right, name), rtol=0, atol=close)
    np.testing.assert_allclose(found.kappa, right.kappa, rtol=close)


@pytest.mark.parametrize("budget", [1, 16, 100, 10_000])
def test_vectors_do_not_depend_on_batching(
    on_gpu: stage2.ProbabilisticGBERTV4, budget: int
) -> None:
    alone = np.concatenate([on_gpu.encode([text], precision="fp32").mu for text in TEXTS])
    together = on_gpu.encode(TEXTS, precision="fp32", batch_tokens=budget).mu
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_compiled_encoder_gives_the_same_vectors(on_gpu: stage2.ProbabilisticGBERTV4) -> None:
    plain = on_gpu.encode(TEXTS, precision="fp32").mu
    on_gpu.compiled = True
    np.testing.assert_allclose(on_gpu.encode(TEXTS, precision="fp32").mu, plain, atol=1e-5)


def gradients(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, settings: Settings, parts: int = 1
) -> dict[str, Tensor]:
    model.zero_grad()
    torch.manual_seed(7)
    for rows in np.array_split(np.arange(12), parts):
        accumulate_gradients(model, lists, rows, settings, 12)
    grads = ((name, weight.grad) for name, weight in model.named_parameters())
    return {name: grad.cpu().clone() for name, grad in grads if grad is not None}


@pytest.mark.parametrize("wide", [0, 768])
@pytest.mark.parametrize(
    ("changes", "parts"),
    [({}, 1), ({}, 5), ({"micro_batch": 60}, 1), ({"loss": "in-batch"}, 1)],
    ids=["whole", "accumulated", "cached", "in-batch"],
)
def test_gradients_are_those_of_the_cpu(
    model_dir: Path,
    on_gpu: stage2.ProbabilisticGBERTV4,
    lists: RankingLists,
    changes: dict[str, Any],
    parts: int,
    wide: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Texts are padded, and also not padded, as for a wide encoder in float32."""
    monkeypatch.setattr(unpadded, "_WIDE", wide)
    assert unpadded.possible(on_gpu, torch.float32) == (wide == 0)
    settings = replace(SETTINGS, **changes)
    here = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir).eval()
    right = gradients(here, lists, replace(settings, micro_batch=None))
    found = gradients(on_gpu.eval(), lists, settings, parts)
    assert found.keys() == right.keys()
    assert sum(float(grad.abs().sum()) for grad in right.values()) > 0
    for name, grad in right.items():
        assert torch.allclose(found[name], grad, rtol=0, atol=1e-5), name


def test_gradient_caching_repeats_its_dropout(
    on_gpu: stage2.ProbabilisticGBERTV4, lists: RankingLists
) -> None:
    on_gpu.train()
    kept = gradients(on_gpu, lists, SETTINGS)
    # One group is embedded twice, and the gradient is that of the first time.
    again = gradients(on_gpu, lists, replace(SETTINGS, micro_batch=10**6))
    without = gradients(on_gpu.eval(), lists, SETTINGS)
    assert all(torch.allclose(again[name], kept[name], rtol=0, atol=1e-5) for name in kept)
    assert any(not torch.allclose(without[name], kept[name], atol=1e-5) for name in kept)


def test_a_world_of_one_card(
    on_gpu: stage2.ProbabilisticGBERTV4, lists: RankingLists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients are summed over NCCL, as far as one GPU can show."""
    on_gpu.train()
    alone = gradients(on_gpu, lists, SETTINGS), on_gpu.encode(TEXTS, precision="fp32").mu
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    here = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "MASTER_ADDR": "localhost"}
    for name, value in {**here, "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, str(value))
    world = distributed.World()
    monkeypatch.setattr(distributed, "_world", world)
    try:
        shared = gradients(on_gpu, lists, SETTINGS), on_gpu.encode(TEXTS, precision="fp32").mu
    finally:
        world.close()
    assert np.array_equal(shared[1], alone[1])
    assert shared[0].keys() == alone[0].keys()
    assert all(torch.equal(shared[0][name], grad) for name, grad in alone[0].items())


class KilledError(Exception):
    """An error that stands for the sudden end of a process."""


def trained(
    model_dir: Path, lists: RankingLists, settings: Settings, folder: Path, kill_at: int = 0
) -> dict[str, bytes]:
    """Start or continue a training, and return the bytes of the models and the state."""
    updates = itertools.count(1)

    def progress(*_: object) -> None:
        if next(updates) == kill_at:
            raise KilledError

    torch.manual_seed(kill_at)  # the state of the caller's generator must not matter
    model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir).to("cuda")
    made_from = {name: getattr(settings, name) for name in STAGES["train"]}
    state = find_state(settings, folder, made_from)
    train(model, lists, Dev(lists), settings, folder, Callbacks(progress), state=state)
    model.save_pretrained(folder / files.SHIPPED_MODEL)
    (folder / files.CHECKPOINTS / files.TRAINING_STATE).unlink()
    found = tree(folder)
    found.pop(files.TRAINING_LOG)  # it contains times
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_trainings_have_the_same_bytes_and_so_has_one_that_went_on(
    model_dir: Path, lists: RankingLists, tmp_path: Path, precision: str
) -> None:
    settings = Settings(
        epochs=3, batch_size=2, accumulate=2, learning_rate=1e-3, precision=precision, save_every=2
    )
    once, twice = (trained(model_dir, lists, settings, tmp_path / name) for name in ("1", "2"))
    assert once == twice
    with pytest.raises(KilledError):
        trained(model_dir, lists, settings, tmp_path / "killed", kill_at=5)
    assert trained(model_dir, lists, settings, tmp_path / "killed") == once


@pytest.mark.parametrize("rows", [500, 5000])
def test_search_has_the_answer_of_the_core(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on_device("cuda", rows, monkeypatch)


def test_the_commands_take_the_device_by_themselves(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--topk", 1, "--precision", "fp32"]
    for device in ("auto", "cpu"):
        out = tmp_path / device
        stage2("mine", *flags, "--source", "corpus", "--device", device, "--output-dir", out)
        run = files.read_json(out / files.RUN)
        assert run["device"] == {"auto": "cuda", "cpu": "cpu"}[device]
    mined = [read_jsonl(tmp_path / name / files.HARD) for name in ("auto", "cpu")]
    hard = [[row["qa_id"] for row in rows] for rows in mined]
    assert hard[0] == hard[1] != []


def test_training_in_half_precision_scales_the_loss_and_learns(
    on_gpu: stage2.ProbabilisticGBERTV4, lists: RankingLists, tmp_path: Path
) -> None:
    logs = {}
    start = copy_of_weights(on_gpu)
    for precision in ("fp32", "fp16"):
        on_gpu.load_state_dict(start)
        settings = Settings(epochs=2, batch_size=4, learning_rate=1e-4, precision=precision)
        logs[precision] = train(on_gpu, lists, LastEpoch(2), settings, tmp_path / precision).log
    assert loss_scaler(on_gpu, Settings(precision="fp16")).is_enabled()
    assert logs["fp16"][-1].loss == pytest.approx(logs["fp32"][-1].loss, abs=5e-3)
