"""`stage2 evaluate --run --qrels` prints what trec_eval prints, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Stage2, tree
from tests.files import zstd

RUN = "q1 Q0 a 1 2 tag\nq1 Q0 b 2 2 tag\nq2 Q0 a 1 1 tag\n"
QRELS = "q1 0 a 1\nq1 0 c 2\nq2 0 b 1\nq3 0 a 1\n"


@pytest.fixture
def call(tmp_path: Path) -> list[object]:
    (tmp_path / "run").write_text(RUN)
    (tmp_path / "qrels").write_text(QRELS)
    return ["evaluate", "--run", tmp_path / "run", "--qrels", tmp_path / "qrels"]


def test_the_table_is_trec_evals(stage2: Stage2, call: list[object], tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = stage2(*call, "-m", "num_q", "-m", "P.1", "-m", "recip_rank", "--per-query")
    assert done.stdout.splitlines() == [
        "P_1                   \tq1\t0.0000",
        "recip_rank            \tq1\t0.5000",
        "P_1                   \tq2\t0.0000",
        "recip_rank            \tq2\t0.0000",
        "runid                 \tall\ttag",
        "num_q                 \tall\t2",
        "P_1                   \tall\t0.0000",
        "recip_rank            \tall\t0.2500",
    ]
    assert "1 of 2 questions have ties" in done.stderr
    beside = stage2(*call, "-m", "recip_rank", "-c", "--expected").stdout.splitlines()
    assert beside[1] == "recip_rank            \tall\t0.1667\t0.2500"
    assert stage2(*call, "-m", "num_rel", "-l", 2).stdout.splitlines()[1].endswith("\t1")
    assert tree(tmp_path) == before


def test_other_flags_have_no_effect_with_qrels(stage2: Stage2, call: list[object]) -> None:
    refused = stage2(*call, "--seed", 1, exit_code=2)
    assert "--seed has no effect with --qrels" in refused.stderr


def test_compressed_files_hold_no_more_than_is_allowed(
    stage2: Stage2, call: list[object], tmp_path: Path
) -> None:
    for name in ("run", "qrels"):
        path = tmp_path / name
        path.write_bytes(zstd(path.read_bytes()))
    expected = "num_q                 \tall\t2"
    assert stage2(*call, "-m", "num_q", "--max-decompressed", "1MB").stdout.endswith(
        f"{expected}\n"
    )
    refused = stage2(*call, "--max-decompressed", 20, exit_code=2).stderr
    assert "run:1:1: the zstd data holds more than 20 bytes" in refused
