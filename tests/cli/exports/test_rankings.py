"""Runs and qrels, as pytrec_eval and ir_measures read them, against our own ranks."""

from __future__ import annotations

import json
from pathlib import Path

import ir_measures
import pytest
import pytrec_eval

from stage2.utils import files
from tests.conftest import Stage2, read_jsonl


def test_both_libraries_measure_what_the_run_reports(
    stage2: Stage2, finished: Path, tmp_path: Path
) -> None:
    stage2("export", finished, "--to", "trec")
    out = tmp_path / "out"
    with open(out / "qrels.txt") as file:
        qrels = pytrec_eval.parse_qrel(file)
    ours = {row["qa_id"]: row for row in read_jsonl(finished / files.PER_QUESTION)}
    assert qrels.keys() == ours.keys()
    for source in ("candidates", "corpus"):
        for system in ("before", "after"):
            path = out / f"{source}.{system}.run"
            with open(path) as file:
                run = pytrec_eval.parse_run(file)
            judged = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank", "ndcg_cut_10"})
            theirs = judged.evaluate(run)
            of_measures = {
                found.query_id: found.value
                for found in ir_measures.iter_calc(
                    [ir_measures.RR],
                    ir_measures.read_trec_qrels(str(out / "qrels.txt")),
                    ir_measures.read_trec_run(str(path)),
                )
            }
            compared = 0
            for qa_id, row in ours.items():
                # Held-out questions are measured here without what training has seen, and a tie
                # has no one rank.
                rank = row["ranks"][source][system]
                if row["set"] in ("dev", "test") or not rank.is_integer():
                    continue
                compared += 1
                metrics = row["metrics"][source][system]
                assert theirs[qa_id]["recip_rank"] == pytest.approx(1 / rank, abs=1e-6)
                assert of_measures[qa_id] == pytest.approx(1 / rank, abs=1e-6)
                assert theirs[qa_id]["ndcg_cut_10"] == pytest.approx(metrics["ndcg10"], abs=1e-6)
            assert compared


def test_ranks_are_written_in_the_order_of_trec_eval(
    stage2: Stage2, finished: Path, tmp_path: Path
) -> None:
    stage2("export", finished, "--to", "trec", "--depth", 7)
    lines = (tmp_path / "out" / "corpus.after.run").read_text().splitlines()
    assert len(lines) == 12 * 7
    found: dict[str, list[tuple[int, float, str]]] = {}
    for line in lines:
        qa_id, q0, docid, rank, score, tag = line.split(" ")
        assert (q0, tag) == ("Q0", "stage2-after")
        found.setdefault(qa_id, []).append((int(rank), float(score), docid))
    for ranked in found.values():
        assert [rank for rank, _, _ in ranked] == list(range(1, 8))
        assert ranked == [
            (rank, *key)
            for rank, key in enumerate(sorted(((s, d) for _, s, d in ranked), reverse=True), 1)
        ]


def test_qrels_of_each_side(stage2: Stage2, finished: Path, tmp_path: Path) -> None:
    told = stage2("export", finished, "--to", "trec", "--depth", 0).stderr
    assert "corpus" not in told
    split = json.loads((finished / files.SPLIT).read_text())
    for side in ("train", "dev", "test"):
        lines = (tmp_path / "out" / f"qrels.{side}.txt").read_text().splitlines()
        assert {line.split()[0] for line in lines} == set(split[side])
    assert not list((tmp_path / "out").glob("corpus.*"))
