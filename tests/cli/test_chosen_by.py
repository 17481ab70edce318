"""A run folder says which guards chose its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stage2.cli.chosen_by import choices_of
from stage2.utils import files

GUARD = {"data/corpus.jsonl": "c0", "data/queries.jsonl": "c1"}


def write_run(folder: Path, judged: bool = True, seed: int = 7, **known: str) -> None:
    """Write the record of a run that was trained with a guard."""
    hashes = known or {f"guard_2/{name}": sha for name, sha in GUARD.items()}
    made_from: dict[str, Any] = {"seed": seed, "guard_margin": 0.01, "guard_1/qa": "other"}
    guards = [{"name": "g", "verdict": "not_worse"}] if judged else []
    first, second = {"name": "stage 1", "kind": "stage1"}, {"name": "epoch 1", "kind": "epoch"}
    shipped = second | {"candidates": [first | {"guards": []}, second | {"guards": guards}]}
    stages = {"train": {"seconds": 1.0, "made_from": {**made_from, **hashes}}}
    files.write_json(folder / files.RUN, {"stages": stages, "shipped": shipped})


def test_a_trained_model_and_its_checkpoints_were_chosen(tmp_path: Path) -> None:
    write_run(tmp_path)
    for place in ("model", "checkpoints/best_model_stage2.pt"):
        assert choices_of([str(tmp_path / place)], GUARD) == {str(tmp_path): 7}
    renamed = {f"{i}": sha for i, sha in enumerate(GUARD.values())}
    assert choices_of([str(tmp_path / "model")] * 2, renamed) == {str(tmp_path): 7}
    assert choices_of([str(tmp_path / "model")], {"qa": "other"}) == {str(tmp_path): 7}
    for place in ("stage1", "exported/model/x", "."):
        assert choices_of([str(tmp_path / place)], GUARD) == {}
    for other in ({"qa": "c0"}, GUARD | {"more": "c2"}, {}):
        assert choices_of([str(tmp_path / "model")], other) == {}


@pytest.mark.parametrize("how", ["no candidate was judged", "without a guard", "no run"])
def test_other_models_were_not_chosen(tmp_path: Path, how: str) -> None:
    if how != "no run":
        write_run(tmp_path, judged="judged" not in how, **({} if "judged" in how else {"qa": "c0"}))
    assert choices_of([str(tmp_path / "model"), "org/name"], GUARD) == {}


def test_a_merged_model_was_chosen_by_what_chose_its_parts(tmp_path: Path) -> None:
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2)
    merged = tmp_path / "merged"
    files.write_json(merged / files.RUN, {"stages": {"merge": {"seconds": 1.0, "made_from": {}}}})
    parts = [str(tmp_path / name / "model") for name in ("a", "b")]
    # A folder that names itself ends nothing.
    models = [*parts, str(merged / "model"), "gone"]
    files.write_json(merged / files.MERGE, {"method": "soup", "models": models})
    found = choices_of([str(merged / "model")], GUARD)
    assert found == {str(tmp_path / "a"): 1, str(tmp_path / "b"): 2}


def test_a_record_that_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be another tool's: that is no reason to refuse the model beside it."""
    (tmp_path / files.RUN).write_text("{}]")
    assert choices_of([str(tmp_path / "model")], GUARD) == {}
    assert f"It is not known what chose {tmp_path / 'model'}" in capsys.readouterr().err
