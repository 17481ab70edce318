"""Which model is shipped and why, and remarks on its training."""

from __future__ import annotations

import pytest

from stage2.config import TrainingConfig
from stage2.report.model_choice import epoch_warnings, few_updates, remarks_on, shipped, untrained
from stage2.training.learnable import Diagnosis
from stage2.training.log import EpochLog
from stage2.training.model_selection import Candidate

IN_BATCH = TrainingConfig(loss="in-batch")
STAGE1, EPOCH = (
    Candidate("stage 1", "stage1", 0, 0.0, 0.5),
    Candidate("epoch 1", "epoch", 1, 1.0, 0.6),
)


def epoch(loss: float, without: int = 0) -> EpochLog:
    return EpochLog(1, loss, 0.0, 0.0, {"mrr": 0.5}, 8, without)


def test_the_reason_names_the_value_and_the_number_of_candidates() -> None:
    facts = shipped([EPOCH, STAGE1], held_out=True)
    assert (facts["name"], facts["dev_value"]) == ("epoch 1", 0.6)
    assert facts["reason"]["en"].startswith("the highest dev MRR (0.6000) of 2 candidates")
    assert "2 个候选" in facts["reason"]["zh"]


def test_the_reason_says_what_takes_from_it() -> None:
    reason = shipped([EPOCH, STAGE1], False, None, Diagnosis(zero_loss=True))["reason"]
    assert "; the loss was 0 at every step" in reason["en"]
    assert reason["en"].endswith("; training saw the dev questions")
    assert reason["zh"].endswith("；训练见过这些开发问题")


def test_an_untrained_model_has_no_candidates() -> None:
    assert untrained({"en": "why"}, True)["candidates"] == []


def test_remarks_are_made_in_both_languages() -> None:
    assert remarks_on(Diagnosis(questions=8)) == {}
    assert remarks_on(Diagnosis(same_weights=True))["en"] == "training changed no weight"
    assert "权重" in remarks_on(Diagnosis(same_weights=True))["zh"]
    assert "loss was 0" in remarks_on(Diagnosis(zero_loss=True))["en"]
    few = Diagnosis(without_negative=3, questions=8)
    assert "3 of the 8 questions" in remarks_on(few)["en"]


def test_an_epoch_that_taught_nothing_is_warned_of() -> None:
    assert epoch_warnings(epoch(0.2), IN_BATCH) == []
    assert "3 of 8 questions had no negative" in epoch_warnings(epoch(0.2, 3), IN_BATCH)[0]
    assert "loss was 0" in epoch_warnings(epoch(0.0), IN_BATCH)[0]


@pytest.mark.parametrize(("updates", "said"), [(1, "1 time,"), (2, "2 times,"), (8, None)])
def test_few_updates_are_said(updates: int, said: str | None) -> None:
    warning = few_updates(updates)
    assert (warning is None) == (said is None)
    assert said is None or f"updates the weights {said}" in str(warning)
