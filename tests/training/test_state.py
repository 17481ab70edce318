"""A training that is interrupted and continued ends with the same bytes as one without a break."""

from __future__ import annotations

import itertools
import json
import signal
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stage2
from stage2.cli.commands import run as run_module
from stage2.cli.run_folder import RunFolder
from stage2.config import Settings
from stage2.encoding.ranking_lists import RankingLists
from stage2.training import train as train_module
from stage2.training.dev_corpus import Dev
from stage2.training.log import EpochLog, best_of
from stage2.training.state import Position, State, find_state
from stage2.training.train import Callbacks, Trained, train
from stage2.usage import STAGES
from stage2.utils import files
from stage2.utils.errors import BadInputError
from stage2.utils.signals import StoppedError
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.programs import start

SETTINGS = Settings(
    epochs=3, batch_size=2, accumulate=2, learning_rate=1e-3, precision="fp32", save_every=2
)
UPDATES = 3  # in an epoch of 12 questions, 4 for each update


class KilledError(Exception):
    """An error that stands for the sudden end of a process."""


def made_from(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in STAGES["train"]}


def attempt(
    model_dir: Path, lists: RankingLists, settings: Settings, folder: Path, kill_at: int = 0
) -> Trained:
    """Start or continue a training as the program does, and end it suddenly after some updates."""
    updates = itertools.count(1)

    def progress(*_: object) -> None:
        if next(updates) == kill_at:
            raise KilledError

    torch.manual_seed(kill_at)  # the state of the caller's generator must not matter
    model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
    state = find_state(settings, folder, made_from(settings))
    trained = train(model, lists, Dev(lists), settings, folder, Callbacks(progress), state=state)
    model.save_pretrained(folder / files.SHIPPED_MODEL)
    (folder / files.CHECKPOINTS / files.TRAINING_STATE).unlink()
    return trained


def results(folder: Path) -> dict[str, Any]:
    """Return the bytes of every file, and the log without its times."""
    found: dict[str, Any] = dict(tree(folder))
    log = [json.loads(line) for line in found.pop(files.TRAINING_LOG).splitlines()]
    found["log"] = [{key: row[key] for key in row if key != "seconds"} for row in log]
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "cosine", "warmup": 0.3, "max_grad_norm": 0.5, "loss": "margin-mse"},
        {"micro_batch": 30, "loss": "infonce", "freeze": "embeddings"},
        {"lora": 2, "keep_checkpoints": 1, "loss": "distill-kl"},
        {"eval_every": 2, "save_every": None, "keep_checkpoints": 2},
    ],
    ids=["plain", "schedule", "cached", "lora", "evaluated at steps"],
)
def test_killed_and_resumed_equals_uninterrupted(
    model_dir: Path, lists: RankingLists, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = replace(SETTINGS, **changes)
    whole = attempt(model_dir, lists, settings, tmp_path / "whole")
    # Before the first save, at a save, between two saves, and after the last update of an epoch.
    for kill_at in (1, 2, 3, 5):
        folder = tmp_path / str(kill_at)
        with pytest.raises(KilledError):
            attempt(model_dir, lists, settings, folder, kill_at)
        again = attempt(model_dir, lists, settings, folder)
        assert again.best_epoch == whole.best_epoch
        assert results(folder) == results(tmp_path / "whole")


def test_killed_over_and_over(model_dir: Path, lists: RankingLists, tmp_path: Path) -> None:
    settings = replace(SETTINGS, save_every=1)
    attempt(model_dir, lists, settings, tmp_path / "whole")
    for _ in range(3 * UPDATES):
        with pytest.raises(KilledError):
            attempt(model_dir, lists, settings, tmp_path / "broken", kill_at=2)
        if (tmp_path / "broken" / files.CHECKPOINTS / "epoch_3.pt").is_file():
            break
        state = find_state(settings, tmp_path / "broken", made_from(settings))
        assert state is not None
        if (state.position.epoch, state.position.update) >= (3, UPDATES - 2):
            break
    attempt(model_dir, lists, settings, tmp_path / "broken")
    assert results(tmp_path / "broken") == results(tmp_path / "whole")


@pytest.mark.parametrize("eval_every", [None, 2])
def test_a_signal_saves_and_stops(
    model_dir: Path, lists: RankingLists, tmp_path: Path, eval_every: int | None
) -> None:
    """A signal may come before anything was saved, or while dev questions are evaluated."""
    settings = replace(SETTINGS, save_every=None, eval_every=eval_every)
    attempt(model_dir, lists, settings, tmp_path / "whole")
    model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number, at in ((signal.SIGTERM, 2), (signal.SIGINT, 3)):
        folder = tmp_path / number.name

        def progress(what: str, done: int, *_: int, at: int = at, number: Any = number) -> None:
            if (what, done) == ("epoch 1/3", at):
                signal.raise_signal(number)

        with pytest.raises(StoppedError, match=f"epoch 1, after update {at}.*same command"):
            train(model, lists, Dev(lists), settings, folder, Callbacks(progress))
        model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)
        attempt(model_dir, lists, settings, folder)
        assert results(folder) == results(tmp_path / "whole")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_was_started_with_overwrite_goes_on_without(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    """--overwrite would delete the state, so the message tells users to leave it out."""
    attempt(model_dir, lists, SETTINGS, tmp_path / "whole")
    model = stage2.ProbabilisticGBERTV4.from_pretrained(model_dir)

    def progress(what: str, done: int, *_: int) -> None:
        if (what, done) == ("epoch 1/3", 2):
            signal.raise_signal(signal.SIGINT)

    over = replace(SETTINGS, overwrite=True)
    with pytest.raises(StoppedError, match="same command again without --overwrite goes on"):
        train(model, lists, Dev(lists), over, tmp_path / "stopped", Callbacks(progress))
    assert find_state(over, tmp_path / "stopped", made_from(over)) is None
    attempt(model_dir, lists, SETTINGS, tmp_path / "stopped")
    assert results(tmp_path / "stopped") == results(tmp_path / "whole")


def test_a_state_elsewhere_can_be_named(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    attempt(model_dir, lists, SETTINGS, tmp_path / "whole")
    with pytest.raises(KilledError):
        attempt(model_dir, lists, SETTINGS, tmp_path / "first", kill_at=5)
    state = tmp_path / "first" / files.CHECKPOINTS / files.TRAINING_STATE
    attempt(model_dir, lists, replace(SETTINGS, resume=str(state)), tmp_path / "second")
    expected, found = results(tmp_path / "whole"), results(tmp_path / "second")
    assert expected.keys() - found.keys() <= {f"{files.CHECKPOINTS}/epoch_1.pt"}
    assert all(found[name] == expected[name] for name in found)
    with pytest.raises(BadInputError, match="no such file"):
        find_state(replace(SETTINGS, resume="nowhere.pt"), tmp_path, {})


@pytest.fixture
def interrupted(model_dir: Path, lists: RankingLists, tmp_path: Path) -> Path:
    """Return the folder of a training that was killed in its second epoch."""
    with pytest.raises(KilledError):
        attempt(model_dir, lists, SETTINGS, tmp_path / "run", kill_at=5)
    return tmp_path / "run"


def test_a_state_of_other_settings_is_refused(interrupted: Path) -> None:
    other = replace(SETTINGS, margin=0.2, epochs=4)
    with pytest.raises(BadInputError, match=r"epochs was 3, is 4; margin was 0.1, is 0.2.*never"):
        find_state(other, interrupted, made_from(other))
    assert find_state(replace(other, resume="never"), interrupted, made_from(other)) is None
    assert find_state(replace(other, overwrite=True), interrupted, made_from(other)) is None
    same = replace(SETTINGS, save_every=7, keep_checkpoints=2)
    assert find_state(same, interrupted, made_from(same)) is not None


def test_a_state_of_other_questions_is_refused(
    model: stage2.ProbabilisticGBERTV4, lists: RankingLists, interrupted: Path
) -> None:
    state = find_state(SETTINGS, interrupted, made_from(SETTINGS))
    before = tree(interrupted)
    with pytest.raises(BadInputError, match="other questions"):
        train(model, lists.subset(range(11)), Dev(lists), SETTINGS, interrupted, state=state)
    assert tree(interrupted) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other", "columns", "no log"])
def test_a_damaged_state_is_refused(interrupted: Path, damage: str) -> None:
    path = interrupted / files.CHECKPOINTS / files.TRAINING_STATE
    whole = path.read_bytes()
    # The bit is in a weight. Bits in the padding between members of torch's archive mean nothing.
    weight = next(iter(torch.load(path, weights_only=True)["model"].values()))
    middle = whole.index(weight.numpy().tobytes()[:64])
    if damage == "other":
        torch.save({"format": 1, "position": {"epoch": 1}}, path)
    elif damage in ("columns", "no log"):
        content = torch.load(path, weights_only=True)
        content["log"] = [{"epoch": 0, "unknown": 1}] if damage == "columns" else []
        torch.save(content, path)
    else:
        path.write_bytes({
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "emptied": b"",
        }[damage])  # fmt: skip
    with pytest.raises(BadInputError, match="--resume never to start over"):
        find_state(SETTINGS, interrupted, made_from(SETTINGS))


def test_never_starts_over(model_dir: Path, lists: RankingLists, interrupted: Path) -> None:
    attempt(model_dir, lists, replace(SETTINGS, resume="never"), interrupted)
    attempt(model_dir, lists, SETTINGS, interrupted.with_name("whole"))
    assert results(interrupted) == results(interrupted.with_name("whole"))


def test_a_missing_best_model_is_said(interrupted: Path) -> None:
    path = interrupted / files.CHECKPOINTS / files.TRAINING_STATE
    content = torch.load(path, weights_only=True)
    content["log"].append(dict(content["log"][0], epoch=9, dev={"mrr": 1.0}))
    torch.save(content, path)
    with pytest.raises(BadInputError, match=r"epoch_9.pt: the best model.*is not there"):
        find_state(SETTINGS, interrupted, made_from(SETTINGS))


def test_keeping_few_checkpoints_keeps_the_best(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, epochs=6, keep_checkpoints=2)
    best = attempt(model_dir, lists, settings, tmp_path).best_epoch
    kept = {path.name for path in (tmp_path / files.CHECKPOINTS).glob("epoch_*.pt")}
    assert kept == {"epoch_5.pt", "epoch_6.pt"} | ({f"epoch_{best}.pt"} if best else set())


def test_an_old_epoch_is_dropped_though_the_process_that_should_have_was_killed(
    model_dir: Path, lists: RankingLists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, keep_checkpoints=1)
    attempt(model_dir, lists, settings, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(train_module.Output, "drop_old", lambda *_: None)
        # After the last update of the last epoch, when its model is written.
        patch.setattr(train_module._Training, "stop_if_asked", killed_at_the_end)
        with pytest.raises(KilledError):
            attempt(model_dir, lists, settings, tmp_path / "run")
    assert (tmp_path / "run" / files.CHECKPOINTS / "epoch_2.pt").is_file()
    attempt(model_dir, lists, settings, tmp_path / "run")
    assert results(tmp_path / "run") == results(tmp_path / "whole")


def killed_at_the_end(training: Any, *_: int) -> None:
    if training.position.epoch > training.settings.epochs:
        raise KilledError


def test_a_training_anew_leaves_no_epoch_of_the_one_before(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    attempt(model_dir, lists, SETTINGS, tmp_path)
    attempt(model_dir, lists, replace(SETTINGS, epochs=1), tmp_path)
    names = {path.name for path in (tmp_path / files.CHECKPOINTS).iterdir()}
    assert {name for name in names if name.startswith("epoch_")} == {"epoch_1.pt"}


def turn_over_a_bit(path: Path) -> None:
    """Flip a bit of a weight. A bit in the padding of the file would mean nothing."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    raw = bytearray(path.read_bytes())
    raw[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(raw)


def test_a_damaged_epoch_is_not_gone_on_with(
    model_dir: Path, lists: RankingLists, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        attempt(model_dir, lists, SETTINGS, tmp_path, kill_at=2 * UPDATES + 1)
    state = find_state(SETTINGS, tmp_path, made_from(SETTINGS))
    assert state is not None
    best = best_of([EpochLog(**row) for row in state.log]).epoch
    assert best > 0
    turn_over_a_bit(tmp_path / files.CHECKPOINTS / f"epoch_{best}.pt")
    with pytest.raises(BadInputError, match=rf"epoch_{best}.pt: damaged, changed or gone"):
        attempt(model_dir, lists, SETTINGS, tmp_path)


def test_a_damaged_model_is_not_gone_on_with(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is stopped in cross-validation continues with the model that it shipped."""
    flags = ["--model", model_dir, *data_flags(corpus), "--epochs", 1, "--folds", 3]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "cross_validate", raises_killed)
        stage2("run", *flags, exit_code=1)
    weights = tmp_path / "out" / files.SHIPPED_MODEL / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-9] ^= 1
    weights.write_bytes(raw)
    result = stage2("run", *flags, exit_code=2)
    assert "changed since (model/model.safetensors)" in result.stderr
    raw[-9] ^= 1
    weights.write_bytes(raw)
    assert "the training is done already" in stage2("run", *flags).stderr


@pytest.mark.parametrize(
    "name",
    ["checkpoints/epoch_1.pt", "checkpoints/best_model_stage2.pt", "model/model.safetensors"],
)
def test_a_file_of_a_training_that_changed_is_not_vouched_for(
    stage2: Stage2,
    corpus: dict[str, Path],
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """After the training nothing reads these files, so only their hashes show damage."""
    flags = ["--model", model_dir, *data_flags(corpus), "--epochs", 1, "--folds", 3]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "cross_validate", raises_killed)
        # After SIGKILL the record still says that a command works in the folder.
        patch.setattr(RunFolder, "_end", lambda *_: None)
        stage2("run", *flags, exit_code=1)
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    result = stage2("run", *flags, exit_code=2)
    assert f"{name}: damaged, changed or gone" in result.stderr
    path.write_bytes(whole)
    assert "the training is done already" in stage2("run", *flags).stderr


def raises_killed(*_: object, **__: object) -> None:
    raise KilledError


def test_patience(model_dir: Path, lists: RankingLists, tmp_path: Path) -> None:
    # With learning rate 0 no epoch is better than stage 1.
    settings = replace(SETTINGS, epochs=6, learning_rate=0.0, patience=2)
    trained = attempt(model_dir, lists, settings, tmp_path)
    assert [entry.epoch for entry in trained.log] == [0, 1, 2]
    assert trained.best_epoch == 0
    trained = attempt(model_dir, lists, replace(settings, eval_every=1), tmp_path)
    assert [entry.step for entry in trained.log] == [0, 1, 2]


def test_run_is_stopped_by_sigterm_and_goes_on(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path
) -> None:
    """Without --model the second attempt uses the stage-1 model that the first attempt made."""
    flags = ["--backbone", backbone, *data_flags(corpus), "--topk", 1, "--split", "none",
             "--epochs", 12, "--batch-size", 1, "--learning-rate", 1e-4, "--loss", "margin",
             "--train-on", "hard", "--folds", 0, "--precision", "fp32"]  # fmt: skip
    stage2("run", *flags, "--output-dir", tmp_path / "whole")
    out = tmp_path / "broken"
    with start("run", *flags, "--output-dir", out) as running:
        while running.poll() is None and not (out / files.CHECKPOINTS / "epoch_2.pt").is_file():
            time.sleep(0.01)
        running.terminate()
        assert running.stderr is not None
        said = running.stderr.read().decode()
    assert running.returncode == 1, said
    assert "the same command again goes on from there" in said
    assert "Traceback" not in said
    assert (out / files.CHECKPOINTS / files.TRAINING_STATE).is_file()
    before = tree(out)
    refused = stage2("run", *flags, "--margin", 0.3, "--output-dir", out, exit_code=2)
    assert "margin was 0.1, is 0.3" in refused.stderr
    assert tree(out) == before
    result = stage2("run", *flags, "--output-dir", out)
    assert "going on with a training that was interrupted" in result.stderr
    expected, found = tree(tmp_path / "whole"), tree(out)
    for name in (files.RUN, files.SETTINGS, files.TRAINING_LOG):
        expected.pop(name)
        found.pop(name)
    # The report and its charts contain times.
    telling = {files.REPORT, files.PAGE, files.REPORT_JSON}
    assert {name for name in expected if expected[name] != found.get(name)} <= telling
    assert expected.keys() == found.keys()
    assert len(read_jsonl(out / files.TRAINING_LOG)) == 13


def test_the_corpus_that_epochs_are_chosen_by_is_part_of_a_state(interrupted: Path) -> None:
    other = replace(SETTINGS, corpus="never")
    with pytest.raises(BadInputError, match="corpus was auto, is never"):
        find_state(other, interrupted, made_from(other))


def test_other_candidates_are_other_questions(lists: RankingLists, interrupted: Path) -> None:
    state = find_state(SETTINGS, interrupted, made_from(SETTINGS))
    assert state is not None
    state.check_questions(lists)
    dropped = np.zeros(len(lists.candidates), bool)
    dropped[lists.offsets[1] - 1] = True
    with pytest.raises(BadInputError, match="other questions"):
        state.check_questions(lists.without(dropped))


def test_a_model_that_a_state_needs_is_kept_until_the_next_state_is_whole(
    model_dir: Path, lists: RankingLists, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SETTINGS, keep_checkpoints=1)
    attempt(model_dir, lists, settings, tmp_path / "whole")
    save = State.save
    saved: list[Position] = []

    def killed_in_the_second(self: State) -> None:
        saved.append(self.position)
        if len(saved) == 2:
            raise KilledError
        save(self)

    monkeypatch.setattr(State, "save", killed_in_the_second)
    with pytest.raises(KilledError):
        attempt(model_dir, lists, settings, tmp_path / "run")
    monkeypatch.setattr(State, "save", save)
    attempt(model_dir, lists, settings, tmp_path / "run")
    assert results(tmp_path / "run") == results(tmp_path / "whole")
