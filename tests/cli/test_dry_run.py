"""A dry run checks what the command checks, says what it would do, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stage2.cli import dry_run
from stage2.cli.dry_run import Plan, Planned, Work, Workload
from stage2.data.judgements import question_hash
from stage2.utils import files
from tests.cli.test_common_flags import EVERY
from tests.conftest import Stage2, data_flags, tree
from tests.small import write_jsonl

# These commands write nothing: there is nothing to try out.
READ_ONLY = {"cache info", "config show", "config check", "completion", "help"}


def test_every_command_that_writes_has_a_dry_run() -> None:
    """A command gets it by `plans=True`, and by `dry_run.plan` before its first change on disk."""
    without = {
        name for name, one in EVERY.items() if not any("--dry-run" in p.opts for p in one.params)
    }
    assert without == READ_ONLY


def calls(corpus: dict[str, Path], model: Path, folder: Path) -> dict[str, list[object]]:
    """Return a call of each command, in an order in which each finds what it needs."""
    data, given = data_flags(corpus), ["--model", model]
    new = ["--output-dir", folder / "new"]
    both = [*given, *given, "--alpha", 0.5, *data, *new]
    return {
        "prepare": [*data],
        "mine": [*data, *given],
        "train": [*given, "--split", "none", "--epochs", 1],
        "evaluate": [*given],
        "audit": [*given],
        "check": [*data, *given, *new],
        "report": [],
        "run": [*data, *given, *new, "--folds", 0, "--epochs", 1],
        "init": ["--no-fit", "--backbone", model.parent, *new],
        "merge": both,
        "sweep": [*data, *given, "--grid", "epochs=1,2", *new],
        "export": [*given, "--to", "sentence-transformers", *new],
        "convert": ["--to", "beir", corpus["qa"].with_name("pairs.csv"), folder / "new"],
        "relabel": [
            *("--judgements", corpus["qa"].with_name("judged.jsonl")),
            *("--qa", corpus["qa"], "--chunks", corpus["chunks"], "--output", folder / "new"),
        ],
        "annotate": [
            *("--chunks", corpus["chunks"], "--gazetteer", corpus["qa"].with_name("names.txt")),
            *("--output", folder / "new.jsonl"),
        ],
        "cache prune": ["--max-size", "0", "--embedding-cache", folder / "vectors"],
        "config init": ["run", "--file", folder / "new.toml"],
    }


def test_nothing_is_written_and_all_is_told(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, backbone: Path, tmp_path: Path
) -> None:
    wanted = calls(corpus, model_dir, tmp_path)
    wanted["init"][2] = backbone
    assert wanted.keys() == EVERY.keys() - READ_ONLY
    (tmp_path / "vectors").mkdir()
    corpus["qa"].with_name("pairs.csv").write_text("question,answer\nwho?,nobody\n")
    corpus["qa"].with_name("names.txt").write_text("nobody\n")
    asked, chunk = (
        json.loads(corpus[n].read_text("utf-8").splitlines()[0]) for n in ("qa", "chunks")
    )
    judged = {"question_hash": question_hash(asked["question"]), "by": "me"}
    judged |= {"chunk_id": chunk["chunk_id"], "judgement": "unsure"}
    write_jsonl(corpus["qa"].with_name("judged.jsonl"), [judged])
    stage2("mine", *data_flags(corpus), "--model", model_dir, "--topk", 1)
    before = tree(tmp_path)
    for name, words in wanted.items():
        place = ["--output-dir", tmp_path / "new"] if name in ("prepare", "mine") else []
        told = stage2(*name.split(), *words, *place, "--dry-run", "--json")
        document = json.loads(told.stdout)
        assert document["command"] == name
        plan = document["result"]["plan"]
        assert 0 <= plan["seconds"][0] <= plan["seconds"][1]
        for work in plan["work"]:
            assert 0 <= work["seconds"][0] <= work["seconds"][1]
        if name not in ("init", "report", "config init", "export"):
            assert plan["reads"], name
        assert tree(tmp_path) == before, name
        assert not (tmp_path / "new").exists(), name


def test_the_plan_names_what_is_there_and_would_be_replaced(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    call = ["prepare", *data_flags(corpus)]
    stage2(*call)
    refused = stage2(*call, "--seed", 1, "--dry-run", exit_code=2)
    assert "seed was 0, is 1" in refused.stderr
    shown = stage2(*call, "--seed", 1, "--overwrite", "--dry-run").stdout.splitlines()
    replaced = shown[shown.index("would replace") + 1 :]
    assert f"  {files.CONSTRUCTED}" in replaced
    assert shown[-1] == "nothing was written"
    assert f"  --qa        {corpus['qa']}" in "\n".join(shown)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine", "--topk", 21], "only 20 candidates"),
        (["mine", "--qa", "nowhere"], "no such file"),
        (["mine", "--output-dir", f"{__file__}/out"], "no folder can be made there"),
        (["run", "--learning-rate", -1], "--learning-rate"),
        (["evaluate"], "nothing to measure"),
    ],
)
def test_it_refuses_what_the_command_refuses(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    words: list[object], said: str,
) -> None:  # fmt: skip
    flags = [] if words[0] == "evaluate" else ["--model", model_dir]
    call = [words[0], *data_flags(corpus), *flags, *words[1:]]
    dry, real = (stage2(*call, *more, exit_code=2) for more in (["--dry-run"], []))
    assert said in dry.stderr
    assert dry.stderr.splitlines()[-1] == real.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_vectors_that_are_kept_are_not_counted(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    cache = ["--embedding-cache", tmp_path / "kept"]
    call = ["mine", *data_flags(corpus), "--model", model_dir, "--topk", 1, *cache]
    call += ["--source", "candidates"]

    def texts() -> int:
        plan = json.loads(stage2(*call, "--dry-run", "--json").stdout)["result"]["plan"]
        (work,) = plan["work"]
        assert work["what"] == "texts to embed, model"
        return int(work["count"])

    assert texts() > 20
    stage2(*call)
    assert texts() == 0


def test_a_plan_ends_a_dry_run_alone() -> None:
    asked = []

    def make() -> Plan:
        asked.append(1)
        return Plan({}, Workload(), "out")

    dry_run.plan(make)
    assert not asked
    assert not dry_run.is_on()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dry_run, "_on", True)
        with pytest.raises(Planned):
            dry_run.plan(make)


def test_a_plan_in_words(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 2_000_000)
    load = Workload(
        {"questions": 1234}, [Work("texts", 5678, (400.0, 900.0))], {"model": "hub:a/b"}
    )
    lines, facts = dry_run.told(Plan({"--qa": tmp_path / "a"}, load, "out", ["b"], ["c"]), 10.0)
    assert lines == [
        "would read",
        f"  --qa   {tmp_path / 'a'}  2.0 MB",
        f"  model  hub:a/b{' ' * (len(str(tmp_path / 'a')) - 7)}  not on this machine",
        "  1,234  questions",
        "would compute",
        "  texts  5,678  7 to 15 minutes",
        "would write out",
        "  b",
        "would replace",
        "  c",
        "would take 7 to 16 minutes, by a short measurement of this machine",
        "nothing was written",
    ]
    assert facts["seconds"] == [407.0, 915.0]
    assert json.loads(json.dumps(facts)) == facts
