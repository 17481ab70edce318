"""The table of a run folder's files."""

from __future__ import annotations

from stage2.utils import files
from tests.report.folders import Make, rows_of, sections


def test_files_that_are_there_are_listed(make: Make) -> None:
    folder = make()
    for name in ("epoch_1.pt", "epoch_2.pt", files.BEST_CHECKPOINT):
        (folder / files.CHECKPOINTS).mkdir(exist_ok=True)
        (folder / files.CHECKPOINTS / name).write_bytes(bytes(2048))
    listed = {row[0]: row[1:] for row in rows_of(sections(folder)["Files"])}
    assert listed["[checkpoints/epoch\\_2.pt](checkpoints/epoch_2.pt)"] == [
        "2.0 KiB", "state_dict after epoch 2"
    ]  # fmt: skip
    assert "[run.json](run.json)" in listed
    assert "[report.md](report.md)" in listed
    assert not any("hard" in name for name in listed)
