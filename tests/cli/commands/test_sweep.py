"""Sweeps: the trials, what they share, what is done once, and who sees test questions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stage2.utils import files
from tests.beir import three_files
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import write_backbone

SWEEP = [
    "--topk", 1, "--loss", "margin", "--learning-rate", 1e-3, "--precision", "fp32",
    "--grid", "epochs=1,2", "--grid", "margin=0.1,0.3",
]  # fmt: skip


def sweep_flags(corpus: dict[str, Path], model_dir: Path) -> list[object]:
    return ["sweep", *data_flags(corpus), "--model", model_dir, *SWEEP]


def test_a_sweep_selects_on_dev_and_measures_the_winner_on_test(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    result = stage2(*sweep_flags(corpus, model_dir))
    out = tmp_path / "out"
    rows = read_jsonl(out / files.SWEEP)
    assert [row["changes"] for row in rows] == [
        {"epochs": epochs, "margin": margin} for epochs in (1, 2) for margin in (0.1, 0.3)
    ]
    best = max(rows, key=lambda row: (row["dev"]["mrr"], row["trained"]))
    table = result.stdout.splitlines()
    assert table[1].startswith(best["trial"])
    assert all("margin=" in line for line in table[1:5])
    for row in rows:
        log = read_jsonl(out / row["folder"] / files.TRAINING_LOG)
        assert row["dev"]["mrr"] == pytest.approx(max(entry["dev"]["mrr"] for entry in log))

    assert table[0].split()[-3:] == ["95%", "interval", "seconds"]
    for name, value in best["changes"].items():
        assert f"{name} = {value}\n" in (out / files.WINNER).read_text()

    comparison = json.loads((out / files.TEST / files.COMPARISON).read_text())
    assert {part["name"] for part in comparison["sets"]} == {"test"}
    assert comparison["models"][1] == str(out / best["folder"] / files.SHIPPED_MODEL)
    assert all(part["held_out"] for part in comparison["sets"])


def test_without_a_model_all_trials_and_the_measurement_have_the_default(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("stage2.cli.stage1.default_model", lambda: str(model_dir))
    stage2("sweep", *data_flags(corpus), *SWEEP)
    comparison = json.loads((tmp_path / "out" / files.TEST / files.COMPARISON).read_text())
    assert comparison["models"][0] == str(model_dir)


def test_no_trial_has_a_test_question_and_all_have_the_dev_of_a_plain_run(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2(*sweep_flags(corpus, model_dir))
    flags = ["--model", model_dir, *data_flags(corpus), "--epochs", 1]
    stage2("run", *flags, "--output-dir", tmp_path / "plain")
    plain = json.loads((tmp_path / "plain" / files.SPLIT).read_text())
    out = tmp_path / "out"
    sides = {"train": [], "dev": [], "test": []}
    assert json.loads((out / files.TEST_SPLIT).read_text()) == {**sides, "test": plain["test"]}
    search = json.loads((out / files.SEARCH_SPLIT).read_text())
    assert search == {**sides, "train": plain["train"], "dev": plain["dev"]}
    folders = [path for path in (out / files.TRIALS).iterdir() if path.is_dir()]
    assert len(folders) == 4
    for folder in folders:
        split = json.loads((folder / files.SPLIT).read_text())
        assert split["dev"] == plain["dev"]
        assert split["test"] == []
        seen = {row["qa_id"] for row in read_jsonl(folder / files.CONSTRUCTED)}
        assert seen == set(plain["train"]) | set(plain["dev"])
        assert files.read_json(folder / files.RUN)["data"]["num_qa"] == len(seen)
    measured = read_jsonl(out / files.TEST / files.PER_QUESTION)
    assert {row["qa_id"] for row in measured} == set(plain["test"])


def test_a_trial_is_a_plain_run_that_anybody_can_run_again(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2(*sweep_flags(corpus, model_dir))
    trial = tmp_path / "out" / read_jsonl(tmp_path / "out" / files.SWEEP)[1]["folder"]
    stage2("run", "--config", trial / files.SETTINGS, "--output-dir", tmp_path / "again")
    before, after = tree(trial), tree(tmp_path / "again")
    assert before.keys() == after.keys()
    same = (files.CONSTRUCTED, files.HARD, files.EVALUATION, files.SPLIT, files.COMPARISON,
            files.PER_QUESTION, f"{files.SHIPPED_MODEL}/model.safetensors")  # fmt: skip
    assert all(before[name] == after[name] for name in same)
    assert str(corpus["qa"]) in before[files.SETTINGS].decode()


def test_a_sweep_may_start_from_a_data_set_with_sides(
    stage2: Stage2, model_dir: Path, tmp_path: Path
) -> None:
    flags = ["--data", three_files(tmp_path), "--model", model_dir, "--topk", 1]
    stage2("sweep", *flags, "--epochs", 1, "--grid", "temperature=0.05,0.1")
    out = tmp_path / "out"
    rows = read_jsonl(out / files.SWEEP)
    assert [row["status"] for row in rows] == ["done", "done"]
    assert json.loads((out / files.TEST_SPLIT).read_text())["test"] == ["q10", "q11", "q12", "q13"]
    [part] = {
        part["num_queries"] for part in files.read_json(out / files.TEST / files.COMPARISON)["sets"]
    }
    assert part == 4


def test_a_sweep_of_the_sample_has_trials_on_it(stage2: Stage2, tmp_path: Path) -> None:
    flags = ["--no-fit", "--embedding-dim", 8, "--max-length", 16, "--epochs", 1]
    stage2("sweep", *flags, "--backbone", write_backbone(tmp_path), "--grid", "batch_size=8")
    [row] = read_jsonl(tmp_path / "out" / files.SWEEP)
    assert row["status"] == "done"
    seen = len(read_jsonl(tmp_path / "out" / row["folder"] / files.CONSTRUCTED))
    assert seen == 50 - len(read_jsonl(tmp_path / "out" / files.TEST / files.PER_QUESTION))


def test_a_finished_trial_is_not_done_again_and_an_interrupted_one_is(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = sweep_flags(corpus, model_dir)
    stage2(*flags)
    out = tmp_path / "out"
    before = tree(out / files.TRIALS)
    first, second, third, _ = (out / row["folder"] for row in read_jsonl(out / files.SWEEP))
    # One trial was interrupted before its first stage ended, and another after training.
    record = json.loads((first / files.RUN).read_text())
    working = {"stages": [*record["stages"], "report"]}
    begun = {"begun": list(record["stages"]), "working": working}
    (first / files.RUN).write_text(json.dumps(begun))
    record = json.loads((second / files.RUN).read_text())
    del record["stages"]["evaluate"], record["ended"]
    record |= {"begun": ["evaluate"], "working": working}
    (second / files.RUN).write_text(json.dumps(record))
    # The first trial was writing this file when it was killed.
    half = first / f".model.{os.getpid()}-half.tmp"
    half.mkdir()
    (half / "config.json").write_text("{}")
    untouched = (third / files.RUN).stat().st_mtime_ns
    result = stage2(*flags)
    assert "2 of 4 trials are done already" in result.stderr
    assert (third / files.RUN).stat().st_mtime_ns == untouched
    after = tree(out / files.TRIALS)
    assert after.keys() == before.keys()
    same = [name for name in after if name.endswith((".safetensors", files.COMPARISON))]
    assert len(same) == 8
    assert all(after[name] == before[name] for name in same)


def test_a_trial_is_done_when_all_its_files_are_there(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = sweep_flags(corpus, model_dir)
    stage2(*flags)
    rows = read_jsonl(tmp_path / "out" / files.SWEEP)
    first, second, third, _ = (tmp_path / "out" / row["folder"] for row in rows)
    gone = [first / files.REPORT, second / files.CHARTS[0], third.with_name(f"{third.name}.log")]
    for path in gone:
        path.unlink()
    assert "1 of 4 trials are done already" in stage2(*flags).stderr
    assert all(path.is_file() for path in gone)


def test_a_stopped_sweep_stops_its_trials(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """SIGTERM reaches only the sweep, which then stops the processes of its trials."""
    flags = [*sweep_flags(corpus, model_dir)[:-2], "--jobs", "2", "--epochs", "2000"]
    command = [sys.executable, "-m", "stage2", *map(str, flags), "--output-dir", tmp_path / "out"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as sweep:
        while not list((tmp_path / "out" / files.TRIALS).glob("*/training_log.jsonl")):
            assert sweep.poll() is None
            time.sleep(0.05)
        sweep.send_signal(signal.SIGTERM)
        # This ends only when no process writes to the pipe. Running trials would write for minutes.
        assert "stopped" in sweep.communicate(timeout=120)[1]
    assert sweep.returncode == 1
    assert not list((tmp_path / "out").rglob(".*.tmp"))


def test_many_processes_come_to_the_same(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = sweep_flags(corpus, model_dir)[:-2]
    one = stage2(*flags, "--output-dir", tmp_path / "one")
    many = stage2(*flags, "--output-dir", tmp_path / "many", "--jobs", 2)
    rows = [read_jsonl(tmp_path / name / files.SWEEP) for name in ("one", "many")]
    for row in (*rows[0], *rows[1]):
        del row["seconds"]
    assert rows[0] == rows[1]
    assert "margin" not in one.stdout + many.stdout


def test_a_stage_1_is_made_once_and_a_longer_sweep_goes_on(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    flags = ["sweep", *data_flags(corpus), "--backbone", backbone, "--topk", 1, "--epochs", 1]
    stage2(*flags, "--grid", "temperature=0.1")
    out = tmp_path / "out"
    made = (out / files.STAGE1_MODEL / "model.safetensors").stat().st_mtime_ns
    result = stage2(*flags, "--grid", "temperature=0.1,0.2")
    assert (out / files.STAGE1_MODEL / "model.safetensors").stat().st_mtime_ns == made
    assert "1 of 2 trials are done already" in result.stderr
    assert not list((out / files.TRIALS).glob("*/stage1"))


def test_test_questions_that_are_looked_at_twice_are_told(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = sweep_flags(corpus, model_dir)
    assert "no longer untouched" not in stage2(*flags).stderr
    assert "no longer untouched" not in stage2(*flags).stderr
    record = json.loads((tmp_path / "out" / files.RUN).read_text())
    record["tested"] = ["another"]
    (tmp_path / "out" / files.RUN).write_text(json.dumps(record))
    assert "for another: they are no longer untouched" in stage2(*flags).stderr


def test_a_trial_that_fails_is_told_and_the_others_go_on(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*sweep_flags(corpus, model_dir)[:-4], "--grid", "learning-rate=1e-5,1e30"]
    stage2(*flags, "--epochs", 3)
    rows = read_jsonl(tmp_path / "out" / files.SWEEP)
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "finite" in rows[1]["error"]


def test_a_dry_run_prints_the_trials_and_writes_nothing(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    flags = [*data_flags(corpus), "--model", model_dir, "--grid", "epochs=1,2"]
    result = stage2("sweep", *flags, "--dry-run")
    assert [line.split()[3] for line in result.stdout.splitlines() if "of trial" in line] == [
        "epochs=1", "epochs=2",
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--grid key=v1,v2, or --preset"),
        (["--grid", "epochs=1", "--preset", "reference"], "not both"),
        (["--grid", "epochs=1", "--split", "none"], "--split chunk"),
        (["--grid", "epochs=1", "--corpus", "never"], "--corpus never"),
        (["--grid", "topk=7,8", "--source", "candidates"], "no trial is possible"),
        (["--grid", "lora=4,8", "--freeze", "backbone"], "no trial is possible"),
        (["--grid", "precision=fp32,fp16"], "trial precision=fp16: --precision fp16"),
        (["--grid", "epochs=1", "--dev-share", 0.45, "--test-share", 0.5], "a sum of at most 0.9"),
    ],
)
def test_a_sweep_that_could_not_select_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    flags: list[str], said: str,
) -> None:  # fmt: skip
    result = stage2("sweep", *data_flags(corpus), "--model", model_dir, *flags, exit_code=2)
    assert said in result.stderr
    assert not (tmp_path / "out").exists()
