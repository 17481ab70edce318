from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from string import Formatter
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from click.testing import CliRunner

from stage2.cli.main import program
from stage2.config_file import read_toml
from stage2.evaluation.statistics import wilson
from stage2.report import numbers, table, write_report
from stage2.report.markdown import escape
from stage2.report.page import command_line
from stage2.report.run import read_run
from stage2.report.words import CATALOGS
from stage2.utils import files
from tests.comparisons import (
    held_out_comparison,
    metrics,
    seen_comparison,
    unknown_comparison,
)

SETTINGS = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-5,
    "weight_decay": 0.01,
    "margin": 0.1,
    "pairs": "graded",
    "similarity": "auto",
    "precision": "auto",
    "split": "chunk",
    "dev_share": 0.2,
    "test_share": 0.3,
    "seed": 7,
}


def epoch(number: int, loss: float | None, mrr: float) -> dict[str, Any]:
    return {
        "epoch": number,
        "loss": loss,
        "learning_rate": 1e-5 if number else 0.0,
        "seconds": 4.5 * number,
        "dev": metrics(0.2, 0.5, 0.8, mrr, 10),
        "train_examples": 21,
    }


STAGE1_SHIPPED = {"name": "stage 1", "kind": "stage1", "epoch": 0, "alpha": 0.0}


def record() -> dict[str, Any]:
    stages = {"prepare": 0.5, "init": 1.5, "mine": 6.0, "train": 27.0, "evaluate": 5.0}
    return {
        "started": "2024-05-06T07:08:09+00:00",
        "stage2_version": "1.2.3",
        "python": "3.11.7",
        "torch": "2.9.0",
        "transformers": "5.0.0",
        "cpu": "Some CPU",
        "cpu_capability": "AVX2",
        "threads": 2,
        "device": "cpu",
        "precision": "fp32",
        "seed": 7,
        "stages": {
            name: {"seconds": seconds, "made_from": SETTINGS} for name, seconds in stages.items()
        },
        "data": {
            "source": "files",
            "num_qa": 60,
            "num_chunks": 1231,
            "num_annotations": 1463,
            "num_samples": 60,
            "negatives": 5,
            "rejected": {"unknown_chunk": 3},
            "files": {"qa": {"path": "/data/qa.json", "sha256": "0123456789abcdef" * 4}},
            "texts_encoded": 350,
        },
        "split": {"by": "chunk", "train": 30, "dev": 10, "test": 20, "trained_on": 21},
        "shipped": {
            "name": "epoch 2",
            "kind": "epoch",
            "epoch": 2,
            "alpha": 1.0,
            "dev_metric": "mrr",
            "dev_value": 0.625,
            "dev_held_out": True,
            "reason": {"en": "the highest dev MRR (0.6250)", "zh": "开发集 MRR 最高（0.6250）"},
            "candidates": [
                {"name": "epoch 2", "kind": "epoch", "epoch": 2, "alpha": 1.0, "dev_value": 0.625},
                {
                    "name": "0.4 of the way to epoch 2",
                    "kind": "interpolation",
                    "epoch": 2,
                    "alpha": 0.4,
                    "dev_value": 0.6,
                },
                {"name": "stage 1", "kind": "stage1", "epoch": 0, "alpha": 0.0, "dev_value": 0.35},
            ],
        },
    }


def mining() -> dict[str, Any]:
    return {
        "num_samples": 60,
        "topk": 3,
        "num_hard": 33,
        "hard_share": 0.55,
        "metrics": metrics(0.1, 0.45, 0.8, 0.35, 60),
        "pairs": {"entity": 300, "fallback": 60},
        "similarity": "auto",
        "source": "candidates",
    }


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run folder; what is given replaces the contents of its files, None leaves one out."""

    def write(name: str = "run", **replaced: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        contents = {
            files.RUN: record(),
            files.MINING_SUMMARY: mining(),
            files.COMPARISON: held_out_comparison(),
            files.TRAINING_LOG: [epoch(0, None, 0.35), epoch(1, 0.1, 0.5), epoch(2, 0.05, 0.625)],
        }
        for file, usual in contents.items():
            content = replaced.get(file.partition(".")[0], usual)
            if content is None:
                continue
            rows = content if file == files.TRAINING_LOG else [content]
            (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return folder

    return write


def sections(folder: Path, language: str = "en") -> dict[str, str]:
    """The report's parts by their headings; what comes before the first is under ''."""
    path = write_report(folder, language)
    assert path == folder / files.REPORT
    head, *parts = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)
    return {"": head} | dict(text.split("\n", 1) for text in parts)


def rows_of(section: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("|")
    ]


def test_opens_with_what_held_out_questions_say(make: Make) -> None:
    head = sections(make())[""]
    assert "**Higher** on 20 questions that training never saw, among their candidates" in head
    assert "Top-1 10.0% (2/20) → 60.0% (12/20) (chance 16.7%)" in head
    assert "MRR 0.350 → 0.550 (chance 0.408)" in head
    assert "over the whole corpus: Top-1 5.0% (1/20) → 25.0% (5/20) (chance 0.1%)" in head
    assert "20 questions are few" in head


@pytest.mark.parametrize(("after", "word"), [(0.35 + 1e-15, "No change"), (0.2, "Lower")])
def test_says_when_nothing_was_won(make: Make, after: float, word: str) -> None:
    comparison = held_out_comparison()
    comparison["sets"][0]["after"]["mrr"] = after
    head = sections(make(comparison=comparison))[""]
    assert f"**{word}** on 20 questions that training never saw, among their candidates" in head


def test_warns_where_nothing_was_held_out(make: Make) -> None:
    head = sections(make(comparison=seen_comparison()))[""]
    assert "> **Warning: measured on the questions trained on.** 35 of 50" in head
    assert "never saw" not in head


def test_warns_where_it_is_not_known_what_was_trained_on(make: Make) -> None:
    parts = sections(make(comparison=unknown_comparison(2)))
    assert "> **Warning: nothing is known to be held out.**" in parts[""]
    assert "whether training saw them is not known" in parts["Before and after"]


def test_every_table_of_the_reference_report(make: Make) -> None:
    parts = sections(make())
    data = rows_of(parts["Data"])
    assert ["Question–answer pairs", "60"] in data
    assert ["Chunks", "1,231"] in data
    assert ["Texts with entity annotations", "1,463"] in data
    assert ["Rows skipped: unknown\\_chunk", "3"] in data
    assert ["qa", "qa.json, SHA-256 0123456789ab…"] in data
    samples = rows_of(parts["Samples"])
    assert ["Distinct texts encoded", "350"] in samples
    assert ["Split", "by chunk group: train 30, dev 10, test 20 questions"] in samples
    before = rows_of(parts["Before training"])
    assert ["Top-1", "16.7%", "10.0% (6/60)", "5–20%"] in before
    assert ["Top-5", "83.3%", "80.0% (48/60)", "68–88%"] in before
    assert "below chance" in parts["Before training"]
    hard = rows_of(parts["Hard examples"])
    assert ["Hard examples", "55.0% (33/60)"] in hard
    assert ["Questions trained on", "21"] in hard
    settings = rows_of(parts["Training settings"])
    assert ["Learning rate", "1e-05"] in settings
    assert ["Pairs in the loss", "graded"] in settings
    time = rows_of(parts["Time"])
    assert ["Training", "27.0"] in time
    assert ["**Total**", "**40.0**"] in time
    assert ["Device", "cpu, fp32"] in time


def test_loss_by_epoch_and_the_choice(make: Make) -> None:
    loss = sections(make())["Loss by epoch"]
    assert rows_of(loss)[2:5] == [
        ["0", "–", "", "20.0%", "0.350", "0.0"],
        ["1", "0.1000", "", "20.0%", "0.500", "4.5"],
        ["**2**", "0.0500", "−50.0%", "20.0%", "0.625", "9.0"],
    ]
    assert "From epoch 1 to epoch 2 the loss changed by −50.0%." in loss
    assert "10 questions (chance: Top-1 16.7%, MRR 0.408)" in loss
    assert "**Shipped: epoch 2**: the highest dev MRR (0.6250)." in loss
    assert ["0.4 of the way to epoch 2", "0.600"] in rows_of(loss)
    assert "not held out" not in loss


def test_says_that_the_epoch_was_chosen_on_questions_trained_on(make: Make) -> None:
    run = record()
    run["shipped"]["dev_held_out"] = False
    assert "These dev questions are not held out" in sections(make(run=run))["Loss by epoch"]


def test_each_set_has_its_numbers_and_what_training_saw(make: Make) -> None:
    _, *blocks = sections(make())["Before and after"].split("### ")
    said = {block.split("\n")[0]: block for block in blocks}
    assert list(said) == [
        "20 held-out test questions, among their candidates",
        "20 held-out test questions, over the whole corpus",
        "10 dev questions, among their candidates",
        "30 training questions, among their candidates",
        "60 all questions, among their candidates",
    ]
    test, _, dev, train, _ = said.values()
    assert "training saw none of them" in test
    assert ["Top-1", "16.7%", "10.0% (2/20)", "60.0% (12/20)", "+50.0 pp", "3–30%", "39–78%"] in (
        rows_of(test)
    )
    assert "the shipped model was chosen on them" in dev
    assert "NOT held out: training saw 21 of the 30" in train


def test_recall_stands_where_it_was_measured(make: Make) -> None:
    comparison = held_out_comparison()
    part = comparison["sets"][1]
    assert part["source"] == "corpus"
    for side, value in (("before", 0.5), ("after", 0.625)):
        part[side] = part[side] | {"recall20": value}
    part["before"]["chance"] = part["before"]["chance"] | {"recall20": 0.02}
    folder = make(comparison=comparison)
    parts = sections(folder)
    rows = [row for row in rows_of(parts["Before and after"]) if row[0].startswith("Recall")]
    assert rows == [["Recall@20", "0.020", "0.500", "0.625", "+0.125", "", ""]]
    assert "*Recall@k* is" in parts["How to read this"]
    assert (folder / files.PAGE).read_text("utf-8").count(">Recall@20<") == 1
    assert not any("Recall@" in text for text in sections(make("without")).values())


def test_one_model_has_no_before_and_after(make: Make) -> None:
    rows = rows_of(sections(make(comparison=unknown_comparison(1)))["Before and after"])
    assert rows[0] == ["Metric", "Chance", "Model", "95% interval"]
    assert rows[2] == ["Top-1", "16.7%", "10.0% (5/50)", "4–21%"]


def test_training_without_hard_examples(make: Make) -> None:
    run = record()
    run["shipped"] |= STAGE1_SHIPPED | {"dev_value": None}
    folder = make(run=run, training_log=None)
    parts = sections(folder)
    assert "the stage-1 model is shipped" in parts[""]
    assert "the stage-1 model is shipped" in parts["Loss by epoch"]
    assert ["Questions trained on", "0"] in rows_of(parts["Training settings"])
    assert not (folder / files.CHARTS[0]).exists()


def test_stage1_that_no_epoch_beat(make: Make) -> None:
    run = record()
    run["shipped"] |= STAGE1_SHIPPED | {"dev_value": 0.35}
    parts = sections(make(run=run))
    assert "No candidate beat the stage-1 model" in parts[""]
    assert "**Shipped: stage 1**" in parts["Loss by epoch"]
    assert rows_of(parts["Loss by epoch"])[2][0] == "**0**"


@pytest.mark.parametrize("language", CATALOGS)
def test_steps_that_have_not_run_are_named(make: Make, language: str) -> None:
    folder = make(run=None, mining_summary=None, comparison=None, training_log=None)
    report = "".join(sections(folder, language).values())
    for command in ("prepare", "mine", "train", "evaluate", "run"):
        assert f"`stage2 {command}`" in report


def test_training_that_was_cut_off(make: Make) -> None:
    run = record()
    del run["shipped"], run["stages"]["train"], run["stages"]["evaluate"]
    parts = sections(make(run=run, comparison=None))
    assert "no model has been chosen yet" in parts["Loss by epoch"]
    assert "**2**" not in parts["Loss by epoch"]
    assert ["Training", "–"] in rows_of(parts["Time"])


@pytest.mark.parametrize("language", CATALOGS)
def test_text_from_data_stays_text(make: Make, language: str) -> None:
    run = record()
    run["data"]["rejected"] = {"a|b\n`c` <script>&[x](y)\u202e": 3}
    run["data"]["files"]["qa"]["path"] = "/data/<img src=x>|\n# *b*.json"
    run["cpu"] = "C|P\u2028U"
    report = "".join(sections(make(run=run), language).values())
    assert "<" not in report
    assert "a\\|b \\`c\\` &lt;script&gt;&amp;\\[x\\](y)\ufffd" in report
    assert "&lt;img src=x&gt;\\| \\# \\*b\\*.json" in report
    assert "| C\\|P U |" in report
    for lines in re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE):
        assert len({len(row) for row in rows_of(lines)}) == 1


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\u202e", "\ud800", "\u2066"])
def test_what_cannot_be_shown_is_replaced(char: str) -> None:
    assert escape(f"a{char}b") == "a\ufffdb"


def test_the_same_run_gives_the_same_bytes(make: Make) -> None:
    names = (files.REPORT, files.PAGE, files.REPORT_JSON, *files.CHARTS)
    first, second = make("first"), make("second")
    write_report(first)
    with mpl.rc_context({"axes.grid": True, "font.size": 30}):
        write_report(second)
    written = {name: (first / name).read_bytes() for name in names}
    assert {name: (second / name).read_bytes() for name in names} == written
    write_report(first)
    assert {name: (first / name).read_bytes() for name in names} == written
    assert {path.name for path in first.iterdir()} == {
        files.RUN, files.MINING_SUMMARY, files.COMPARISON, files.TRAINING_LOG, *names
    }  # fmt: skip


def test_charts_are_what_they_are_called(make: Make) -> None:
    folder = make()
    report = write_report(folder).read_text("utf-8")
    png, svg = (folder / name for name in files.CHARTS)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "<dc:date>" not in svg.read_text("utf-8")
    assert f"]({png.name})" in report
    assert f"]({svg.name})" in report


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


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_catalogs_agree() -> None:
    english, chinese = CATALOGS["en"], CATALOGS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key


def test_chinese_report_is_chinese(make: Make) -> None:
    parts = sections(make(), "zh")
    assert "20 个问题" in parts[""]
    assert "10.0% (2/20) → 60.0% (12/20)" in parts[""]
    assert ["文本块", "1,231"] in rows_of(parts["数据"])
    assert "交付的模型：第 2 轮" in parts["各轮损失"]


def test_no_such_language(make: Make) -> None:
    folder = make()
    with pytest.raises(ValueError, match="'fr'; expected en or zh"):
        write_report(folder, "fr")
    assert not (folder / files.REPORT).exists()
    with pytest.raises(ValueError, match="'fr'"):
        table(seen_comparison(), "fr")


def test_interval_is_wilsons() -> None:
    # Of scipy.stats.binomtest(...).proportion_ci(method="wilson").
    assert wilson(0.1, 50) == pytest.approx((0.04347, 0.21360), abs=1e-5)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert wilson(1.0, 10) == pytest.approx((0.72247, 1.0), abs=1e-5)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.counted(0.1, 50), "10.0% (5/50)"),
        (numbers.counted(1 / 6, 4), "16.7% (0.7/4)"),
        (numbers.change(0.0998, 0.0527), "−47.2%"),
        (numbers.change(0.0, 0.1), "–"),
        (numbers.points(-0.0001), "+0.0 pp"),
        (numbers.points(-0.1), "−10.0 pp"),
        (numbers.difference(0.5, 0.4), "−0.100"),
        (numbers.size(1023), "1023 B"),
        (numbers.size(500_000_000), "476.8 MiB"),
        (numbers.size(5 << 30), "5.0 GiB"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


def test_the_command_to_run_it_again_makes_the_same_settings(
    corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    """Also where a setting is the program's default, but not that of `stage2 run`."""
    data = [str(word) for name, path in corpus.items() for word in (f"--{name}", path)]
    flags = ["--model", str(model_dir), "--topk", "1", "--epochs", "1", "--folds", "0"]
    first, second = tmp_path / "first", tmp_path / "second"
    preset = ["run", "--preset", "reference", *data, *flags, "--output-dir", str(first)]
    assert CliRunner().invoke(program, preset).exit_code == 0
    words = shlex.split(command_line(read_run(first)))
    assert words[:2] == ["stage2", "run"]
    words[words.index(str(first))] = str(second)
    assert CliRunner().invoke(program, words[1:]).exit_code == 0
    settings = [read_toml(str(folder / files.SETTINGS)) for folder in (first, second)]
    assert settings[0].pop("output_dir") != settings[1].pop("output_dir")
    assert settings[0] == settings[1]
