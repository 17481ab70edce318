"""Only the encoder of queries is trained: documents are constants, in a step and everywhere."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.nn import functional as F

from stage2 import Dataset, ProbabilisticGBERTV4
from stage2.cli.commands import run as run_module
from stage2.config import Settings
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.ranking_lists import RankingLists, ranking_lists
from stage2.models.auto import load_model
from stage2.models.family import LoadOptions
from stage2.training.dev_corpus import Dev
from stage2.training.documents import check_parts, documents_of
from stage2.training.model_selection import choose_on_dev
from stage2.training.state import find_state
from stage2.training.step import accumulate_gradients
from stage2.training.train import Callbacks, evaluate_dev, train
from stage2.training.untouched import Untouched
from stage2.usage import STAGES
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.tensors import read_state_dict
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.sentence_models import KINDS, write_encoder, write_model

SETTINGS = Settings(
    epochs=1, batch_size=6, learning_rate=1e-3, loss="in-batch", precision="fp32", save_every=1,
    train="query",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(KINDS["e5, two prompts"], tmp_path_factory.mktemp("st"))


def two_of(folder: Path) -> Encoder:
    return load_model(folder, LoadOptions(train="query"))


def lists_for(model: Encoder, corpus: dict[str, Path]) -> RankingLists:
    dataset = Dataset.load(corpus["qa"], corpus["chunks"])
    return ranking_lists(model, dataset.construct(5, 0), None)


def gradients(model: Encoder) -> dict[str, torch.Tensor]:
    return {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


@pytest.mark.parametrize("micro_batch", [None, 20])
def test_a_step_is_that_of_plain_torch_with_detached_documents(
    folder: Path, corpus: dict[str, Path], micro_batch: int | None
) -> None:
    model = two_of(folder)
    lists = lists_for(model, corpus).without_negatives()
    settings, rows = replace(SETTINGS, micro_batch=micro_batch), np.arange(12)
    documents = documents_of(model, lists, settings)
    loss = accumulate_gradients(model, lists, rows, settings, 12, Untouched(documents=documents))
    ours = gradients(model)

    library = SentenceTransformer(str(folder), device="cpu")
    texts = lists.tokens.texts
    answers, label = np.unique(lists.candidates, return_inverse=True)
    right = library.encode(
        [texts[row] for row in answers], prompt_name="passage", convert_to_tensor=True
    ).clone()
    library.train()
    features = library.preprocess([texts[row] for row in lists.questions], prompt="query : ")
    queries = F.normalize(library(features)["sentence_embedding"], dim=-1)
    value = F.cross_entropy(queries @ right.T / settings.temperature, torch.from_numpy(label))
    value.backward()
    assert loss == pytest.approx(value.item(), rel=1e-4)
    theirs = {f"query.backbone.{name}": weight.grad
              for name, weight in library[0].model.named_parameters()
              if weight.grad is not None}  # fmt: skip
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-3, atol=1e-5, msg=name)
    assert max(gradient.abs().max() for gradient in theirs.values()) > 1e-3


def forbid_documents(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test fail where a document is embedded."""
    monkeypatch.setattr(
        model.parts["document"], "forward", lambda _: pytest.fail("a document is embedded")
    )


def test_a_step_embeds_no_document(
    folder: Path, corpus: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = two_of(folder)
    lists = lists_for(model, corpus)
    documents = documents_of(model, lists, SETTINGS)
    assert documents is not None
    assert np.abs(documents.mu[lists.candidates]).max() > 0
    forbid_documents(model, monkeypatch)
    settings = replace(SETTINGS, loss="margin")
    assert accumulate_gradients(
        model, lists, np.arange(12), settings, 12, Untouched(documents=documents)
    )


def test_dev_questions_meet_the_same_documents(
    folder: Path, corpus: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = two_of(folder)
    lists = lists_for(model, corpus)
    right = evaluate_dev(model, lists, SETTINGS)
    documents = documents_of(model, lists, SETTINGS)
    forbid_documents(model, monkeypatch)
    assert evaluate_dev(model, lists, SETTINGS, documents=documents) == right
    with torch.no_grad():
        next(model.parts["query"].parameters()).mul_(-1)
    assert evaluate_dev(model, lists, SETTINGS, documents=documents) != right


def trained(
    folder: Path, corpus: dict[str, Path], to: Path, kill_at: int = 0, **more: object
) -> Encoder:
    """Train and choose as the program does; the process may end after some updates."""
    settings = replace(SETTINGS, **more)  # type: ignore[arg-type]
    updates = itertools.count(1)

    def progress(*_: object) -> None:
        if next(updates) == kill_at:
            raise KeyboardInterrupt

    model = two_of(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    lists = lists_for(model, corpus)
    known = {name: getattr(settings, name) for name in STAGES["train"]}
    state = find_state(settings, to, known)
    found = train(model, lists, Dev(lists), settings, to, Callbacks(progress), state=state)
    choose_on_dev(model, before, found, Dev(lists), settings, to / files.CHECKPOINTS)
    model.save(to / files.SHIPPED_MODEL)
    (to / files.CHECKPOINTS / files.TRAINING_STATE).unlink()
    model.load_state_dict(read_state_dict(to / files.CHECKPOINTS / "epoch_1.pt"))
    return model


@pytest.mark.parametrize("more", [{}, {"lora": 2}, {"freeze": "embeddings"}])
def test_two_steps_change_the_encoder_of_queries_alone(
    folder: Path, corpus: dict[str, Path], tmp_path: Path, more: dict[str, object]
) -> None:
    before, model = two_of(folder), trained(folder, corpus, tmp_path, **more)
    texts = list(Dataset.load(corpus["qa"], corpus["chunks"]).chunk_texts)
    for role, same in (("document", True), ("query", False)):
        ours, theirs = (encode(one, texts, role=role, precision="fp32").mu  # type: ignore[arg-type]
                        for one in (model, before))  # fmt: skip
        assert np.array_equal(ours, theirs) == same
    for name, weight in before.state_dict().items():
        if name.startswith("document."):
            assert torch.equal(model.state_dict()[name], weight)
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    folder: Path, corpus: dict[str, Path], tmp_path: Path
) -> None:
    trained(folder, corpus, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(folder, corpus, tmp_path / "broken", kill_at=1)
    trained(folder, corpus, tmp_path / "broken")
    whole, broken = tree(tmp_path / "whole"), tree(tmp_path / "broken")
    del whole[files.TRAINING_LOG], broken[files.TRAINING_LOG]
    assert whole == broken


def test_a_run_writes_both_encoders_and_each_by_itself(
    stage2: Stage2, corpus: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    out, recipe = tmp_path / "out", ["--epochs", 2, "--batch-size", 6, "--learning-rate", 1e-3,
                                     "--precision", "fp32", "--folds", 3]  # fmt: skip
    data = data_flags(corpus)[:4]
    stage2("run", *data, "--model", folder, *recipe, "--train", "query")
    library = SentenceTransformer(str(out / files.SHIPPED_MODEL), device="cpu")
    texts = [row["text"] for row in read_jsonl(corpus["chunks"])]
    shipped = load_model(out)
    for role, call in (("query", library.encode_query), ("document", library.encode_document)):
        ours = encode(shipped, texts, role=role, precision="fp32").mu  # type: ignore[arg-type]
        assert np.abs(ours - call(texts)).max() <= 1e-5
        alone = load_model(out / files.MODEL_OF_ROLE[role])  # type: ignore[index]
        same = encode(alone, texts, role=role, precision="fp32").mu  # type: ignore[arg-type]
        assert np.array_equal(same, ours)
    right = encode(load_model(folder), texts, precision="fp32").mu
    assert np.array_equal(encode(shipped, texts, precision="fp32").mu, right)
    report = (out / files.REPORT).read_text()
    assert "query-model" in report
    assert "document-model" in report

    # A second evaluation of the same folder measures the same.
    rows = read_jsonl(out / files.PER_QUESTION)
    stage2(
        "evaluate", *data, "--model", folder, "--model", out, "--precision", "fp32",
        "--output-dir", tmp_path / "again",
    )  # fmt: skip
    again = read_jsonl(tmp_path / "again" / files.PER_QUESTION)
    assert [row["ranks"]["corpus"] for row in again] == [row["ranks"]["corpus"] for row in rows]

    # It is mined with like any model, and trained further only as it was trained.
    stage2("mine", *data, "--model", out, "--output-dir", tmp_path / "mined")
    refused = stage2("run", *data, "--model", out, *recipe, "--output-dir", tmp_path / "on",
                     exit_code=2)  # fmt: skip
    assert "only that of questions can be trained further. Give --train query" in refused.stderr
    assert not (tmp_path / "on").exists()
    stage2("run", *data, "--model", out, *recipe, "--train", "query", "--folds", 0,
           "--output-dir", tmp_path / "on")  # fmt: skip
    further = encode(load_model(tmp_path / "on"), texts, precision="fp32").mu
    assert np.array_equal(further, right)

    # Half of the way between the two is of two encoders too, and has the same one of documents.
    merged = tmp_path / "merged"
    stage2("merge", "--model", out, "--model", tmp_path / "on", "--alpha", 0.5,
           "--output-dir", merged)  # fmt: skip
    for name in (files.SHIPPED_MODEL, files.MODEL_OF_ROLE["document"]):
        found = encode(load_model(merged / name), texts, precision="fp32").mu
        assert np.array_equal(found, right)


def test_a_run_that_was_stopped_after_its_training_goes_on(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Hugging Face encoder has its pooling in the router alone, which is then read again."""
    encoder = write_encoder(KINDS["roberta"], tmp_path / "encoder")
    flags = ["run", *data_flags(corpus)[:4], "--model", encoder, "--pooling", "cls", "--train",
             "query", "--epochs", 1, "--batch-size", 6, "--learning-rate", 1e-3, "--folds", 3,
             "--precision", "fp32", "--query-prompt", "the "]  # fmt: skip
    stage2(*flags, "--output-dir", tmp_path / "whole")

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "cross_validate", killed)
        stage2(*flags, "--output-dir", tmp_path / "broken", exit_code=1)
    result = stage2(*flags, "--output-dir", tmp_path / "broken")
    assert "the training is done already" in result.stderr
    for name in (files.COMPARISON, files.PER_QUESTION):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    part = tmp_path / "whole" / files.MODEL_OF_ROLE["document"]
    assert not (part / "modules.json").exists()


def test_a_model_with_one_encoder_for_all_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, model: ProbabilisticGBERTV4
) -> None:
    flags = ["run", *data_flags(corpus), "--train", "query"]
    refused = stage2(*flags, "--model", model_dir, exit_code=2)
    assert "one encoder for all texts" in refused.stderr
    assert "leave --train query out" in refused.stderr
    made = stage2(*flags, "--init", exit_code=2)
    assert "with --model DIR of a sentence-transformers or Hugging Face model" in made.stderr
    with pytest.raises(BadInputError, match="--train query: this model reads questions and doc"):
        check_parts(model, SETTINGS)
    check_parts(model, replace(SETTINGS, train="both"))
