"""Models of every kind from the command line: mined with, trained, continued, written."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from stage2 import Dataset
from stage2.config import Settings
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import ranking_lists
from stage2.models.auto import load_model
from stage2.training.dev_corpus import Dev
from stage2.training.state import find_state
from stage2.training.train import Callbacks, train
from stage2.usage import STAGES
from stage2.utils import files
from stage2.utils.tensors import read_state_dict
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.sentence_models import KINDS, write_model
from tests.shared_work import OF_QUESTIONS, losses_of
from tests.utils.test_distributed import ROOT, TWO, launch

# Two steps of six questions.
SETTINGS = Settings(
    epochs=1, batch_size=6, learning_rate=1e-3, loss="in-batch", precision="fp32", save_every=1
)


@pytest.fixture(scope="module", params=list(KINDS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS[request.param], tmp_path_factory.mktemp("kind"))


class KilledError(Exception):
    """An error that stands for the sudden end of a process."""


def trained(
    folder: Path, corpus: dict[str, Path], to: Path, settings: Settings, kill_at: int = 0
) -> Encoder:
    """Train as the program does, and write the model; the process may end after some updates."""
    updates = itertools.count(1)

    def progress(*_: object) -> None:
        if next(updates) == kill_at:
            raise KilledError

    model = load_model(folder)
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    lists = ranking_lists(model, dataset.construct(5, 0), None)
    state = find_state(settings, to, {name: getattr(settings, name) for name in STAGES["train"]})
    train(model, lists, Dev(lists), settings, to, Callbacks(progress), state=state)
    model.save(to / files.SHIPPED_MODEL)
    (to / files.CHECKPOINTS / files.TRAINING_STATE).unlink()
    return model


def check_library(model: Encoder, written: Path, texts: list[str]) -> None:
    """The library gives the vectors of the model from what was written."""
    library = SentenceTransformer(str(written), device="cpu", model_kwargs={"dtype": torch.float32})
    library.float()
    prompt = model.prompts.get("document")
    right = library.encode(texts, prompt=prompt, normalize_embeddings=model.similarity == "cosine")
    found = encode(load_model(written), texts, precision="fp32").mu
    assert np.abs(found - right).max() <= 1e-5 * max(1, np.abs(right).max())


def test_two_steps_with_and_without_a_break(
    folder: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    model = trained(folder, corpus, tmp_path / "whole", SETTINGS)
    with pytest.raises(KilledError):
        trained(folder, corpus, tmp_path / "broken", SETTINGS, kill_at=1)
    trained(folder, corpus, tmp_path / "broken", SETTINGS)
    whole, broken = tree(tmp_path / "whole"), tree(tmp_path / "broken")
    del whole[files.TRAINING_LOG], broken[files.TRAINING_LOG]
    assert whole == broken
    # The weights of the epoch are taken, whether or not stage 1 was better.
    state = read_state_dict(tmp_path / "whole" / files.CHECKPOINTS / "epoch_1.pt")
    model.load_state_dict(state)
    model.save(tmp_path / "epoch")
    texts = list(Dataset.load(corpus["qa"], corpus["chunks"]).chunk_texts)[:6]
    untouched = encode(load_model(folder), texts, precision="fp32").mu
    assert np.abs(encode(model, texts, precision="fp32").mu - untouched).max() > 1e-4
    check_library(model, tmp_path / "epoch", texts)


def run_and_read(
    stage2: Stage2, folder: Path, corpus: dict[str, Path], out: Path, *more: object
) -> None:
    """Run everything, and have the library read what was shipped."""
    recipe = ["--epochs", 2, "--batch-size", 6, "--learning-rate", 1e-3, "--folds", 0]
    stage2("run", *data_flags(corpus)[:4], "--model", folder, *recipe, *more)
    names = {path for path in tree(folder) if not path.startswith("tokenizer")}
    texts = [row["text"] for row in read_jsonl(corpus["chunks"])[:6]]
    epochs = [f"{files.CHECKPOINTS}/epoch_{number}" for number in (1, 2)]
    for written in (files.SHIPPED_MODEL, *epochs):
        assert names <= tree(out / written).keys()
        check_library(load_model(out / written), out / written, texts)
    assert not list((out / files.CHECKPOINTS).glob("epoch_*.pt"))


def test_a_run_gives_the_layout_back(
    stage2: Stage2, folder: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    out, precision = tmp_path / "out", ["--precision", "fp32"]
    # A table of vectors has no matrices that could be updated.
    lora = ["--lora", 2] if (folder / "config.json").exists() else []
    run_and_read(stage2, folder, corpus, out, "--source", "candidates", *lora, *precision)
    # Only what was trained is new: a second evaluation of the same folder says the same.
    rows = read_jsonl(out / files.PER_QUESTION)
    stage2(
        "evaluate", *data_flags(corpus)[:4], "--model", folder, "--model", out, *precision,
        "--output-dir", tmp_path / "again",
    )  # fmt: skip
    again = read_jsonl(tmp_path / "again" / files.PER_QUESTION)
    assert [row["ranks"] for row in again] == [row["ranks"] for row in rows]


@pytest.mark.parametrize("name", ["dense", "half precision", "qwen3, last token"])
def test_bfloat16_and_gradient_caching(
    stage2: Stage2, name: str, corpus: dict[str, Path], tmp_path: Path
) -> None:
    folder, more = write_model(KINDS[name], tmp_path), ["--micro-batch", 40, "--precision", "bf16"]
    run_and_read(stage2, folder, corpus, tmp_path / "out", *more)


def test_two_processes_train_to_the_loss_of_one(corpus: dict[str, Path], tmp_path: Path) -> None:
    """One pair of processes trains all kinds, one after the other."""
    (tmp_path / "models").mkdir()
    for name, kind in KINDS.items():
        write_model(kind, tmp_path / name).rename(tmp_path / "models" / name)
    words = [corpus["qa"], corpus["chunks"], tmp_path / "models"]
    done = launch([*TWO, "-m", "tests.shared_work"], "losses", *words, tmp_path / "two", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    one, two = losses_of(*map(str, words)), json.loads((tmp_path / "two").read_text())
    assert len(one) == len(KINDS) + len(OF_QUESTIONS)
    assert two == pytest.approx(one, abs=1e-4)
    assert len(set(one.values())) == len(one)
