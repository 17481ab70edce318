"""The sections of the report about training."""

from __future__ import annotations

from stage2.utils import files
from tests.report.folders import (
    STAGE1_SHIPPED,
    Make,
    epoch,
    in_rounds,
    record,
    rows_of,
    sections,
)


def test_loss_by_epoch_and_the_choice(make: Make) -> None:
    loss = sections(make())["Loss by epoch"]
    assert rows_of(loss)[2:5] == [
        ["0", "–", "", "20.0%", "0.350", "0.0"],
        ["1", "0.1000", "", "20.0%", "0.500", "4.5"],
        ["**2**", "0.0500", "−50.0%", "20.0%", "0.625", "9.0"],
    ]
    assert "From epoch 1 to epoch 2 the loss changed by −50.0%." in loss
    assert "10 questions (chance: Top-1 16.7%, MRR 0.408)" in loss
    assert "**Shipped: epoch 2**: the highest dev MRR (0.6250)." in loss
    assert ["0.4 of the way to epoch 2", "0.600"] in rows_of(loss)
    assert "not held out" not in loss


def test_a_step_in_an_epoch(make: Make) -> None:
    log = [epoch(0, None, 0.35), epoch(1, 0.1, 0.5), epoch(2, 0.05, 0.625)]
    log[1] |= {"epoch": 2 / 3, "step": 2}
    run = record()
    run["shipped"] |= {"epoch": 2 / 3, "step": 2}
    folder = make(run=run, training_log=log)
    loss = sections(folder)["Loss by epoch"]
    assert rows_of(loss)[0][2] == "Against step 2 (epoch 0.67)"
    assert rows_of(loss)[3][0] == "**step 2 (epoch 0.67)**"
    assert "From step 2 (epoch 0.67) to epoch 2 the loss changed by −50.0%." in loss
    assert "**Shipped: step 2 (epoch 0.67)**" in loss
    (folder / files.CHECKPOINTS).mkdir()
    (folder / files.CHECKPOINTS / "step_2.pt").touch()
    listed = {row[0]: row[2] for row in rows_of(sections(folder)["Files"])}
    assert listed["[checkpoints/step\\_2.pt](checkpoints/step_2.pt)"].endswith("(epoch 0.67)")


def test_says_that_the_epoch_was_chosen_on_questions_trained_on(make: Make) -> None:
    run = record()
    run["shipped"]["dev_held_out"] = False
    assert "These dev questions are not held out" in sections(make(run=run))["Loss by epoch"]


def test_training_without_hard_examples(make: Make) -> None:
    run = record()
    run["shipped"] |= STAGE1_SHIPPED | {"dev_value": None}
    folder = make(run=run, training_log=None)
    parts = sections(folder)
    assert "the stage-1 model is shipped" in parts[""]
    assert "the stage-1 model is shipped" in parts["Loss by epoch"]
    assert ["Questions trained on", "0"] in rows_of(parts["Training settings"])
    assert not (folder / files.CHARTS[0]).exists()


def test_stage1_that_no_epoch_beat(make: Make) -> None:
    run = record()
    run["shipped"] |= STAGE1_SHIPPED | {"dev_value": 0.35}
    parts = sections(make(run=run))
    assert "No candidate beat the stage-1 model" in parts[""]
    assert "**Shipped: stage 1**" in parts["Loss by epoch"]
    assert rows_of(parts["Loss by epoch"])[2][0] == "**0**"


def test_training_that_was_cut_off(make: Make) -> None:
    run = record()
    del run["shipped"], run["stages"]["train"], run["stages"]["evaluate"]
    parts = sections(make(run=run, comparison=None))
    assert "no model has been chosen yet" in parts["Loss by epoch"]
    assert "**2**" not in parts["Loss by epoch"]
    assert ["Training", "–"] in rows_of(parts["Time"])


def test_a_teacher_is_named_with_how_well_it_ranks(make: Make) -> None:
    run = record()
    run["teacher"] = {
        "name": "/models/large_one", "kind": "cross-encoder", "questions": 1200, "pairs": 7200,
        "one_score": 0, "top1": 0.915, "made_from": {}, "sha256": "0",
    }  # fmt: skip
    rows = rows_of(sections(make(run=run))["Training settings"])
    said = "/models/large\\_one: a ground truth first for 91.5% of the 1,200 questions scored"
    assert ["Teacher", said] in rows


def test_each_round_says_how_many_negatives_are_new(make: Make) -> None:
    assert "Round" not in sections(make())["Loss by epoch"]
    folder = in_rounds(make("rounds"))
    said = "Round 2 began after epoch 1, with negatives that the model mined as it then was: "
    assert f"{said}2 of 3 are new." in sections(folder)["Loss by epoch"]
    # The page says it under the curves, in each language.
    assert f"{said}2 of 3 are new." in (folder / files.PAGE).read_text("utf-8")
    chinese = sections(folder, "zh")
    expected = "第 2 次挖掘在第 1 轮之后，用当时的模型重新挖掘负例：3 个中有 2 个是新的。"
    assert any(expected in part for part in chinese.values())
    assert expected in (folder / files.PAGE).read_text("utf-8")
    (folder / files.ROUNDS / files.round_file(2)).unlink()
    assert f"{said}2 are new." in sections(folder)["Loss by epoch"]
