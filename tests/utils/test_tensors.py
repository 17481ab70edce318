"""Files of tensors: which files are refused, and what a full disk leaves."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

import stage2
from stage2.utils import tensors
from stage2.utils.errors import BadInputError, exit_code_of, message_of
from tests.conftest import Stage2, data_flags


@pytest.mark.parametrize(
    "content", [b"some text\n", b"", b"e" * 300, b"\x80\x02}q\x00.", b"PK\x03\x04"]
)
def test_a_text_for_a_checkpoint_is_refused(
    backbone: Path, tmp_path: Path, content: bytes, stage2: Stage2, corpus: dict[str, Path]
) -> None:
    path = tmp_path / "z.pt"
    path.write_bytes(content)
    flags = ["--model", path, "--backbone", backbone, *data_flags(corpus)]
    assert f"error: {path}: " in stage2("mine", *flags, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_an_archive_that_unpacks_to_more_is_refused(
    model: stage2.ProbabilisticGBERTV4, backbone: Path, tmp_path: Path
) -> None:
    model.save_reference(tmp_path / "m.pt")
    with (
        zipfile.ZipFile(tmp_path / "m.pt") as whole,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    with pytest.raises(BadInputError, match="its tensors are packed"):
        tensors.read_state_dict(tmp_path / "packed.pt")


def test_a_program_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/constants.pkl", b"")
    with pytest.raises(BadInputError, match="TorchScript"):
        tensors.read_tensors(tmp_path / "m.pt")
    # An old torch must not read archives of other formats.
    monkeypatch.setattr(torch, "__version__", "2.4.1+cpu")
    (tmp_path / "m.pt").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(BadInputError, match=r"Install torch 2\.6"):
        tensors.read_tensors(tmp_path / "m.pt")


def test_a_pipe_for_a_checkpoint_is_not_waited_for(backbone: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.pt")
    with pytest.raises(BadInputError, match="is no regular file"):
        stage2.ProbabilisticGBERTV4.from_reference(tmp_path / "m.pt", backbone)


@pytest.mark.parametrize("write", [tensors.save_state_dict, tensors.save_safetensors])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_and_leaves_no_half_file(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.pt"
    real = open

    def full(name: Any, mode: str = "r", *more: Any, **further: Any) -> Any:
        return real("/dev/full" if "w" in mode else name, mode, *more, **further)

    monkeypatch.setattr(tensors, "open", full, raising=False)
    monkeypatch.setattr(tensors, "save_file", _full)
    with pytest.raises(OSError, match="No space left") as caught:
        write({"a": torch.zeros(10_000)}, path)
    assert message_of(caught.value) == (
        f"{path}: cannot be written, the disk is full; free some of it, and give the same command "
        "again"
    )
    assert exit_code_of(caught.value) == 1
    assert not list(tmp_path.iterdir())


def _full(*_: Any, **__: Any) -> None:
    raise tensors.SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def test_what_is_said_of_tensors_is_no_part_of_them(tmp_path: Path) -> None:
    state = {"a": torch.arange(5.0), "b": torch.ones(2, 3)}
    for name in ("one.pt", "two.pt"):
        tensors.save_state_dict(state, tmp_path / name, {"max_length": 300})
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    assert tensors.read_about(tmp_path / "one.pt") == {"max_length": 300}
    for found in (
        torch.load(tmp_path / "one.pt", weights_only=True),
        torch.load(tmp_path / "one.pt", weights_only=True, mmap=True),
        tensors.read_state_dict(tmp_path / "one.pt"),
    ):
        assert found.keys() == state.keys()
        assert all(torch.equal(found[key], value) for key, value in state.items())
    tensors.save_state_dict(state, tmp_path / "one.pt")
    assert tensors.read_about(tmp_path / "one.pt") is None


def test_what_is_said_may_be_damaged(tmp_path: Path) -> None:
    for content in (b"[1]", b"{", b"", b"[" * 10_000, b"\xff"):
        with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
            archive.writestr("archive/stage2.json", content)
        with pytest.raises(BadInputError, match=r"m\.pt: damaged"):
            tensors.read_about(tmp_path / "m.pt")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran-code"),))


def test_a_checkpoint_that_would_run_code_is_refused(
    stage2: Stage2, corpus: dict[str, Path], backbone: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    torch.save({"energy_proj.bias": Hostile()}, tmp_path / "hostile.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Hostile()))
    for name in ("hostile.pt", "plain.pt"):
        flags = ["--model", tmp_path / name, "--backbone", backbone, *data_flags(corpus)]
        result = stage2("mine", *flags, exit_code=2)
        assert f"{name}: refused" in result.stderr
    assert not (tmp_path / "ran-code").exists()
    assert not (tmp_path / "out").exists()
