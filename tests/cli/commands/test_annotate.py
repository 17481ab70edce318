"""`stage2 annotate`: what it reads, writes, says and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from stage2.data.annotate import annotate
from tests.beir import one_file
from tests.conftest import Stage2, data_flags, read_jsonl, tree
from tests.small import write_jsonl


@pytest.fixture
def names(corpus: dict[str, Path], tmp_path: Path) -> Path:
    """Write the words of the questions as names, half of them with a label."""
    words = sorted({word for row in read_jsonl(corpus["qa"]) for word in row["question"].split()})
    rows = [{"name": word} | ({"label": "WORD"} if i % 2 else {}) for i, word in enumerate(words)]
    return write_jsonl(tmp_path / "names.jsonl", [*rows, {"name": "neverthere"}])


def texts_of(corpus: dict[str, Path]) -> list[str]:
    rows = [*read_jsonl(corpus["qa"]), *read_jsonl(corpus["chunks"])]
    return list(dict.fromkeys(row.get("question") or row["text"] for row in rows))


def test_all_questions_and_chunks_are_annotated_for_entities(
    stage2: Stage2, corpus: dict[str, Path], names: Path, tmp_path: Path
) -> None:
    output = tmp_path / "entities.jsonl"
    files = ["--qa", corpus["qa"], "--chunks", corpus["chunks"]]
    done = stage2("annotate", *files, "--gazetteer", names, "--output", output, "--stats")
    texts = texts_of(corpus)
    rows = read_jsonl(output)
    assert [row["text"] for row in rows] == texts
    assert [row["targets"] for row in rows] == annotate(texts, names)
    assert f"entities in 12 of 12 questions and 20 of 20 chunks; {output}" in done.stderr
    assert "never met: neverthere" in done.stdout
    assert "WORD" in done.stdout
    prepared = stage2("prepare", *files, "--entities", output, "--output-dir", tmp_path / "run")
    assert "12 of 12 questions and 20 of 20 chunks have one" in prepared.stderr
    again = tmp_path / "again.jsonl"
    stage2("annotate", *files, "--gazetteer", output, "--output", again)
    spans = [[target["span_text"] for target in row["targets"]] for row in rows]
    assert [
        [target["span_text"] for target in row["targets"]] for row in read_jsonl(again)
    ] == spans


def test_chunks_alone_samples_and_folders(
    stage2: Stage2, corpus: dict[str, Path], names: Path, tmp_path: Path
) -> None:
    chunks = [row["text"] for row in read_jsonl(corpus["chunks"])]
    output = tmp_path / "e.jsonl"
    use = ["--gazetteer", names, "--output", output, "--overwrite"]
    stage2("annotate", "--chunks", corpus["chunks"], *use)
    assert [row["text"] for row in read_jsonl(output)] == list(dict.fromkeys(chunks))
    stage2("prepare", *data_flags(corpus), "--output-dir", tmp_path / "run")
    stage2("annotate", "--data", tmp_path / "run" / "constructed_data.jsonl", *use)
    assert {row["text"] for row in read_jsonl(output)} <= set(texts_of(corpus))
    folder = one_file(tmp_path / "beir")
    said = stage2("annotate", "--data", folder, *use).stderr
    assert "questions" in said
    assert "chunks" in said


def test_spacy_finds_entities_too(stage2: Stage2, corpus: dict[str, Path], tmp_path: Path) -> None:
    pipeline = spacy.blank("en")
    word = read_jsonl(corpus["chunks"])[0]["text"].split()[0]
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "WORD", "pattern": word}])
    pipeline.to_disk(tmp_path / "ruler")
    output = tmp_path / "e.jsonl"
    use = ["--spacy", tmp_path / "ruler", "--output", output, "--stats"]
    done = stage2("annotate", "--chunks", corpus["chunks"], *use)
    assert read_jsonl(output)[0]["targets"][0] == {
        "span_text": word, "char_start": 0, "char_end": len(word), "label": "WORD"
    }  # fmt: skip
    assert word in done.stdout


def test_skipped_rows_stand_beside_the_output(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    names = tmp_path / "names.jsonl"
    names.write_text('{"name": "a"}\n{"name": ""}\n')
    output = tmp_path / "e.jsonl"
    use = ["--chunks", corpus["chunks"], "--gazetteer", names, "--output", output]
    refused = stage2("annotate", *use, exit_code=2)
    assert f"{names}:2:10" in refused.stderr
    assert not output.exists()
    done = stage2("annotate", *use, "--on-error", "skip")
    assert "1 rows skipped: empty_name" in done.stderr
    assert "1 names have one character" in done.stderr
    [row] = read_jsonl(tmp_path / "e.jsonl.rejected.jsonl")
    assert (row["line"], row["reason"]) == (2, "empty_name")


def test_names_that_are_nowhere_are_a_warning(
    stage2: Stage2, corpus: dict[str, Path], tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("neverthere\n")
    output = tmp_path / "e.jsonl"
    use = ["--chunks", corpus["chunks"], "--gazetteer", names, "--output", output]
    assert "none of 20 chunks has an entity" in stage2("annotate", *use).stderr
    assert len(read_jsonl(output)) == 20


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--chunks", "C"], "one of --gazetteer FILE and --spacy MODEL"),
        (["--chunks", "C", "--gazetteer", "N", "--spacy", "x"], "expected one of --gazetteer"),
        (["--gazetteer", "N"], "no texts to annotate"),
        (["--qa", "C", "--gazetteer", "N"], "no texts to annotate; give --chunks"),
        (["--data", "C", "--chunks", "C", "--gazetteer", "N"], "--data is a data set by itself"),
        (["--chunks", "C", "--gazetteer", "gone.txt"], "--gazetteer gone.txt: no such file"),
        (["--chunks", "C", "--spacy", "gone"], "gone: no such pipeline"),
        (["--chunks", "C", "--spacy", "gone", "--ignore-case"], "with --gazetteer FILE"),
        (
            ["--chunks", "C", "--gazetteer", "N", "--title", "ignore"],
            "--title ignore has no effect",
        ),
        (["--chunks", "C", "--gazetteer", "N", "--output", "N"], "is read by this command"),
        (["--chunks", "C", "--gazetteer", "N", "--output", "."], "is a folder"),
        (["--chunks", "C", "--gazetteer", "N", "--output", "no/e.jsonl"], "no is no folder"),
        (["--chunks", "C", "--gazetteer", "N", "--output", "there"], "is there already"),
    ],
)
def test_what_is_refused_changes_nothing(
    stage2: Stage2, corpus: dict[str, Path], names: Path, tmp_path: Path,
    flags: list[str], said: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("kept")
    before = tree(tmp_path)
    known = {"C": str(corpus["chunks"]), "N": str(names)}
    words = [known.get(flag, flag) for flag in flags]
    if "--output" not in words:
        words += ["--output", "e.jsonl"]
    assert said in stage2("annotate", *words, exit_code=2).stderr
    assert tree(tmp_path) == before
