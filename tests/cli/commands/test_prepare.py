"""`stage2 prepare`, which starts without torch."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from stage2.utils import files
from tests.conftest import Stage2, data_flags, read_jsonl
from tests.programs import call


def test_preparing_needs_neither_torch_nor_numpy(corpus: dict[str, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from stage2.cli.main import program\n"
        "program(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'numpy'} & sys.modules.keys()"
    )
    flags = [*data_flags(corpus), "--output-dir", str(tmp_path / "out")]
    result = subprocess.run(
        [sys.executable, "-c", code, "prepare", *flags], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert call("report", "--output-dir", tmp_path / "out").returncode == 0


def test_without_data_it_is_the_sample_and_says_so(stage2: Stage2, tmp_path: Path) -> None:
    done = stage2("prepare", "--negatives", 2)
    out = tmp_path / "out"
    assert "no data given: using the built-in sample" in done.stderr
    assert f"samples: 50 in {out / files.CONSTRUCTED}" in done.stderr
    assert {len(row["negative_contexts"]) for row in read_jsonl(out / files.CONSTRUCTED)} == {2}
    data = files.read_json(out / files.RUN)["data"]
    assert data["source"] == "sample"
    # The data that was read is that in the folder.
    for file in data["files"].values():
        assert files.sha256(out / files.SAMPLE / file["path"]) == file["sha256"]


def test_the_hash_noted_while_writing_is_that_of_the_file(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus))
    out = tmp_path / "out"
    noted = files.read_json(out / files.RUN)["files"][files.CONSTRUCTED]
    assert noted["sha256"] == hashlib.sha256((out / files.CONSTRUCTED).read_bytes()).hexdigest()
    assert noted["size"] == (out / files.CONSTRUCTED).stat().st_size
