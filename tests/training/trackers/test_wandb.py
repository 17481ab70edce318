"""The scalars of a training in Weights & Biases."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from stage2.config import Settings
from stage2.training.trackers import tracking


def records(path: Path) -> Iterator[Record]:
    """Read a small file of records: a head of 7 bytes, then CRC, length and kind before each."""
    data, at = path.read_bytes(), 7
    assert data[:4] == b":W&B"
    assert len(data) < 1 << 15, "a record may go on in the next block"
    while at < len(data):
        _, size, kind = struct.unpack_from("<IHB", data, at)
        assert kind == 1
        at += 7 + size
        yield Record.FromString(data[at - size : at])


def test_scalars_are_logged_over_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    with tracking(Settings(report_to="wandb", epochs=7), tmp_path / "tuned", 0) as note:
        note("train/loss", 0.5, 1)
        note("train/loss", 0.25, 2)
    (written,) = tmp_path.rglob("*.wandb")
    seen, config = [], {}
    for record in records(written):
        for one in record.run.config.update:
            config[one.key] = one.value_json
        if record.WhichOneof("record_type") == "history":
            row = {"/".join(one.nested_key) or one.key: json.loads(one.value_json)
                   for one in record.history.item}  # fmt: skip
            seen.append((row["update"], row["train/loss"]))
        if record.WhichOneof("record_type") == "run" and record.run.display_name:
            assert (record.run.project, record.run.display_name) == ("stage2", "tuned")
    assert seen == [(1, 0.5), (2, 0.25)]
    assert config["epochs"] == "7"
