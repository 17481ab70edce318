"""`stage2 merge`: the weights or the scores of two models are combined."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import stage2
from stage2.cli.commands.merge import ALPHAS, chosen_alpha
from stage2.config import Settings
from stage2.models.init_model import init_model
from stage2.training.guard import Judgement
from stage2.training.model_selection import mean_of
from stage2.utils import files
from tests.conftest import Stage2, data_flags
from tests.sentence_models import KINDS, weights_of_words, write_model


@pytest.fixture(scope="module")
def other(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the same model with slightly changed weights."""
    folder = tmp_path_factory.mktemp("other") / "model"
    model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
    torch.manual_seed(3)
    moved = {
        name: tensor + 0.05 * torch.randn_like(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict(moved)
    model.save_pretrained(folder)
    return folder


def bias(folder: Path) -> float:
    model = stage2.ProbabilisticGBERTV4.from_pretrained(folder)
    return float(model.state_dict()["energy_proj.bias"])


def test_a_given_alpha_needs_no_questions(
    stage2: Stage2, model_dir: Path, other: Path, tmp_path: Path
) -> None:
    stage2("merge", "--model", model_dir, "--model", other, "--alpha", 0.25)
    start, end = bias(model_dir), bias(other)
    merged = bias(tmp_path / "out" / files.SHIPPED_MODEL)
    assert merged == pytest.approx(start + 0.25 * (end - start), abs=1e-6)
    record = json.loads((tmp_path / "out" / files.MERGE).read_text())
    assert (record["alpha"], record["dev"]) == (0.25, [])


def test_alpha_is_the_best_on_dev(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, other: Path, tmp_path: Path
) -> None:
    result = stage2("merge", "--model", model_dir, "--model", other, *data_flags(corpus))
    record = json.loads((tmp_path / "out" / files.MERGE).read_text())
    assert [entry["alpha"] for entry in record["dev"]] == list(ALPHAS)
    best = max(entry["mrr"] for entry in record["dev"])
    assert record["alpha"] == min(e["alpha"] for e in record["dev"] if e["mrr"] == best)
    comparison = json.loads((tmp_path / "out" / files.COMPARISON).read_text())
    assert {part["name"] for part in comparison["sets"]} == {"test", "dev", "all"}
    assert not any(part["held_out"] for part in comparison["sets"])
    dev = next(p for p in comparison["sets"] if (p["name"], p["source"]) == ("dev", "corpus"))
    assert dev["after"]["mrr"] == pytest.approx(best)
    assert "Warning" in result.stdout
    assert "all: BM25" in result.stdout


def test_a_soup_is_the_mean(stage2: Stage2, model_dir: Path, other: Path, tmp_path: Path) -> None:
    models = [word for path in (model_dir, other, other) for word in ("--model", path)]
    stage2("merge", "--method", "soup", *models)
    expected = (bias(model_dir) + 2 * bias(other)) / 3
    assert bias(tmp_path / "out" / files.SHIPPED_MODEL) == pytest.approx(expected, abs=1e-6)


def test_the_mean_leaves_counters_alone() -> None:
    states = [{"w": torch.tensor([float(i)]), "n": torch.tensor([i])} for i in (1, 2, 6)]
    found = mean_of(states)
    assert found["w"].tolist() == [3.0]
    assert found["n"].tolist() == [1]


BAD = [
    (1, ["--alpha", 0.5], "expects --model twice"),
    (3, ["--alpha", 0.5], "--method soup"),
    (1, ["--method", "soup"], "twice or more"),
    (2, ["--method", "soup", "--alpha", 0.5], "plain mean"),
    (2, [], "or --alpha X"),
    (2, ["--method", "sum", "--alpha", 0.5], "--data FILE"),
    (2, ["--alpha", 1.5], "--alpha is 1.5"),
]


@pytest.mark.parametrize(("models", "flags", "message"), BAD)
def test_what_does_not_go_together_is_refused(
    stage2: Stage2, model_dir: Path, tmp_path: Path, models: int, flags: list[object], message: str
) -> None:
    result = stage2("merge", *["--model", model_dir] * models, *flags, exit_code=2)
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_models_of_two_kinds_share_scores_but_not_weights(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, model_dir: Path, tmp_path: Path
) -> None:
    narrow = tmp_path / "narrow"
    init_model(str(backbone), [], embedding_dim=32, max_length=64, seed=0, fit=False
               ).save_pretrained(narrow)  # fmt: skip
    models = ["--model", model_dir, "--model", narrow]
    result = stage2("merge", *models, "--alpha", 0.5, exit_code=2)
    assert "differ in aux_head.0.weight" in result.stderr
    assert not (tmp_path / "out").exists()
    stage2("merge", *models, *data_flags(corpus), "--method", "sum", "--alpha", 0.5)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({}, {"similarity": "euclidean"}, "differ in what vectors are compared by"),
        ({"before": lambda: [weights_of_words(1)]}, {"before": lambda: [weights_of_words(2)]},
         "differ in the weights of words"),
    ],
)  # fmt: skip
def test_models_that_are_alike_in_weights_alone_are_not_mixed(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path, one: Any, other: Any, said: str
) -> None:
    models: list[object] = []
    for name, change in (("one", one), ("other", other)):
        models += ["--model", write_model(replace(KINDS["dense"], **change), tmp_path / name)]
    assert said in stage2("merge", *models, "--alpha", 0.5, exit_code=2).stderr
    fused = ["merge", *models, *data_flags(corpus), "--alpha", 0.5, "--method"]
    if "compared" in said:
        refused = stage2(*fused, "sum", exit_code=2).stderr
        assert "by euclidean, and the scores have no common unit; expected" in refused
    stage2(*fused, "reciprocal-rank")


@pytest.mark.parametrize("method", ["sum", "reciprocal-rank"])
def test_scores_of_two_models_are_fused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, other: Path, tmp_path: Path,
    method: str,
) -> None:  # fmt: skip
    flags = ["--model", model_dir, "--model", other, *data_flags(corpus), "--method", method]
    stage2("merge", *flags)
    record = json.loads((tmp_path / "out" / files.MERGE).read_text())
    by_alpha = {entry["alpha"]: entry["mrr"] for entry in record["dev"]}
    assert by_alpha[record["alpha"]] == max(by_alpha.values())
    assert not (tmp_path / "out" / files.SHIPPED_MODEL).exists()
    # With α 0 and 1 the results are those of the two models.
    for alpha, model in ((0, model_dir), (1, other)):
        out = tmp_path / f"end{alpha}"
        stage2("merge", *flags, "--alpha", alpha, "--output-dir", out)
        fused_part = json.loads((out / files.COMPARISON).read_text())["sets"][-1]
        alone = tmp_path / f"alone{alpha}"
        stage2("evaluate", "--model", model, *data_flags(corpus), "--output-dir", alone)
        part = json.loads((alone / files.COMPARISON).read_text())["sets"][-1]
        assert part["source"] == fused_part["source"]
        assert fused_part["after"]["mrr"] == pytest.approx(part["before"]["mrr"])


def test_an_alpha_that_a_guard_calls_worse_is_passed_over() -> None:
    def judgement(alpha: float) -> list[Judgement]:
        verdict = "worse" if alpha > 0.3 else "not_worse"
        return [Judgement("other", 0.5, 0.5 - alpha, -alpha, 0.0, verdict)]

    settings = Settings(method="interpolate")
    found = chosen_alpha(settings, lambda alpha: alpha, judgement)
    assert found["alpha"] == 0.3
    passed = [row["alpha"] for row in found["dev"] if "guards" in row]
    assert passed == [alpha for alpha in ALPHAS if alpha >= 0.3]
    # Nothing is judged beyond the first that may be chosen, and never the first model itself.
    assert chosen_alpha(settings, lambda alpha: -alpha, judgement)["alpha"] == 0
    assert chosen_alpha(settings, lambda alpha: alpha)["alpha"] == 1
    everything = chosen_alpha(
        settings, lambda alpha: alpha, lambda alpha: [replace(judgement(1)[0], after=alpha)]
    )
    assert everything["alpha"] == 0
