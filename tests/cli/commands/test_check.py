"""`stage2 check` says what is right for data of which that is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import stage2 as library
from stage2.utils import files
from tests.bag_of_words import LENGTH, VOCABULARY, chunks, questions, write_data, write_model
from tests.conftest import Stage2, data_flags, tree
from tests.encoding.test_endpoint import Server, server  # noqa: F401
from tests.small import write_jsonl


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without prompts."""
    return write_model(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a prompt that moves questions."""
    return write_model(tmp_path_factory.mktemp("prompted") / "model", {"query": "back "})


Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(stage2: Stage2, tmp_path: Path) -> Check:
    """Check data, and return the content of `check.json`."""

    def call(model: Path, data: Path, *flags: object) -> dict[str, Any]:
        out = tmp_path / "checked"
        done = stage2("check", "--model", model, "--data", data, "--output-dir", out, *flags)
        facts: dict[str, Any] = json.loads((out / files.CHECK_JSON).read_text())
        assert facts["advice"]["text"]["en"] in done.output
        return facts

    return call


def rule(facts: dict[str, Any]) -> str:
    return str(facts["advice"]["rule"])


def leaning(text: str, to: str) -> str:
    return f"{to} {to} {text}"


def test_hard_questions_enough_of_them_are_trained_on(
    check: Check, words: Path, tmp_path: Path
) -> None:
    facts = check(words, write_data(tmp_path / "d", questions(400, 3, 4)))
    assert rule(facts) == "train"
    assert facts["rankings"].keys() == {"model", "bm25", "fusion"}
    assert 0.2 < facts["rankings"]["model"]["mrr"] < 0.8
    assert facts["power"]["held_out"] == 120
    assert facts["texts"]["questions"]["unknown_share"] == 0


def test_few_questions_show_too_little(check: Check, words: Path, tmp_path: Path) -> None:
    facts = check(words, write_data(tmp_path / "d", questions(20, 3, 4)))
    assert rule(facts) == "collect"
    # Fewer than 200 questions are cross-validated.
    assert facts["power"]["held_out"] == 20
    assert f"{facts['power']['target']['more_questions']:,} more" in facts["advice"]["text"]["en"]


def test_what_is_first_already_is_left(check: Check, words: Path, tmp_path: Path) -> None:
    facts = check(words, write_data(tmp_path / "d", questions(300, 10, 0)))
    assert rule(facts) == "leave"
    assert facts["headroom"]["first"]["share"] == 1


def test_scrambled_labels_are_mended(check: Check, words: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    asked = [(text, int(random.integers(150))) for text, _ in questions(300, 5, 0)]
    facts = check(words, write_data(tmp_path / "d", asked))
    assert rule(facts) == "mend_labels"
    assert facts["labels"]["doubtful_share"] > 0.7


def test_labels_that_contradict_each_other_are_mended(
    check: Check, words: Path, tmp_path: Path
) -> None:
    asked = questions(300, 3, 4)
    asked += [(f"{text}?", (chunk + 1) % 150) for text, chunk in asked[:30]]
    facts = check(words, write_data(tmp_path / "d", asked))
    assert rule(facts) == "mend_labels"
    (found,) = (one for one in facts["labels"]["kinds"] if one["name"] == "contradiction")
    assert found["count"] == 60


def test_a_script_that_the_model_does_not_read(check: Check, words: Path, tmp_path: Path) -> None:
    def foreign(text: str) -> str:
        return text.replace("w", "слово")

    asked = [(foreign(text), chunk) for text, chunk in questions(300, 5, 3)]
    texts = [foreign(" ".join(one)) for one in chunks()]
    facts = check(words, write_data(tmp_path / "d", asked, texts))
    assert rule(facts) == "another_model"
    assert facts["texts"]["chunks"]["unknown_share"] == 1
    chance = facts["rankings"]["model"]["chance"]["mrr"]
    assert facts["rankings"]["model"]["mrr"] == pytest.approx(chance)


def test_a_prompt_that_was_left_out_is_used(check: Check, prompted: Path, tmp_path: Path) -> None:
    # Without the prompt questions lean to one half of the chunks.
    asked = [(f"lean {text}", chunk) for text, chunk in questions(300, 4, 2)]
    texts = [f"{'left' if i % 2 else 'right'} {' '.join(one)}" for i, one in enumerate(chunks())]
    data = write_data(tmp_path / "d", asked, texts)
    facts = check(prompted, data, "--query-prompt", "")
    assert rule(facts) == "use_prompt"
    found = facts["prompts"]
    assert found["told"] == "without"
    assert found["prompts"] == {"query": "back "}
    assert found["without"] == pytest.approx(facts["rankings"]["model"]["mrr"])
    other = check(prompted, data, "--overwrite")
    assert rule(other) != "use_prompt"
    # Both calls compare the same two readings.
    for name in ("with", "without", "difference", "low", "high"):
        assert other["prompts"][name] == pytest.approx(found[name])
    assert other["prompts"]["with"] == pytest.approx(other["rankings"]["model"]["mrr"])


def test_a_prompt_that_harms_is_left_out(check: Check, prompted: Path, tmp_path: Path) -> None:
    texts = [f"{'left' if i % 2 else 'right'} {' '.join(one)}" for i, one in enumerate(chunks())]
    facts = check(prompted, write_data(tmp_path / "d", questions(300, 4, 2), texts))
    assert rule(facts) == "drop_prompt"
    assert facts["prompts"]["difference"] < 0


def test_a_server_is_asked_with_its_prompts_and_once_without(
    stage2: Stage2,
    words: Path,
    tmp_path: Path,
    server: Server,  # noqa: F811
) -> None:
    texts = [f"{'left' if i % 2 else 'right'} {' '.join(one)}" for i, one in enumerate(chunks())]
    data = write_data(tmp_path / "d", questions(300, 4, 2), texts)
    behind = SentenceTransformer(str(words), device="cpu")

    def answer(_: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        vectors = behind.encode(body["inputs"])
        # The short text that tells the width has no word that the model knows.
        vectors[~vectors.any(axis=1)] = 1
        return 200, {}, json.dumps(vectors.tolist()).encode()

    server.answer = answer
    call = ["check", "--data", data, "--endpoint", f"{server.url}/embed", "--json"]
    call += ["--embedding-cache", tmp_path / "cache"]
    told = json.loads(stage2(*call, "--query-prompt", "lean ").stdout)["result"]["check"]
    assert rule(told) == "drop_prompt"
    found = told["prompts"]
    assert (found["told"], found["prompts"]) == ("with", {"query": "lean "})
    assert found["with"] == pytest.approx(told["rankings"]["model"]["mrr"])
    # Nothing is asked twice, but for the short text that tells the width.
    sent = Counter(text for body, _ in server.seen for text in body["inputs"])
    assert max(sent.values()) == 1
    asked = {text for text, _ in questions(300, 4, 2)}
    assert sent.keys() - {"stage2"} == {*texts, *asked, *(f"lean {text}" for text in asked)}
    plain = json.loads(stage2(*call, "--output-dir", tmp_path / "b").stdout)["result"]["check"]
    assert plain["prompts"] is None
    assert plain["rankings"]["model"]["mrr"] == pytest.approx(found["without"])


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads half of a chunk."""
    return write_model(tmp_path_factory.mktemp("short") / "model", limit=LENGTH // 2)


def write_answers(
    folder: Path, asks: Callable[[list[str], int], list[str]], size: int = LENGTH
) -> Path:
    """Write two questions about each text with their answers: the first word, and the last one.

    Args:
        folder: that is made.
        asks: returns the words of a question, from those of its text and the place of its answer.
        size: how many words each chunk of a text has.
    """
    folder.mkdir()
    texts = [[one[start : start + size] for start in range(0, LENGTH, size)] for one in chunks()]
    rows = [
        {"chunk_id": f"d{i}-{number}", "text": " ".join(part)}
        for i, parts in enumerate(texts) for number, part in enumerate(parts)
    ]  # fmt: skip
    write_jsonl(folder / "chunks.jsonl", rows)
    rows = [
        {"qa_id": f"q{i}{place}", "question": " ".join(asks(one, place)),
         "chunk_id": f"d{i}-{place % (LENGTH // size)}", "answer": one[place]}
        for i, one in enumerate(chunks()) for place in (0, -1)
    ]  # fmt: skip
    write_jsonl(folder / "qa.jsonl", rows)
    return folder


def check_answers(stage2: Stage2, model: Path, folder: Path) -> dict[str, Any]:
    data = ["--qa", folder / "qa.jsonl", "--chunks", folder / "chunks.jsonl"]
    done = stage2("check", "--model", model, *data, "--output-dir", folder / "out", "--json")
    facts: dict[str, Any] = json.loads(done.stdout)["result"]["check"]
    return facts


def test_answers_that_the_model_does_not_read_are_cut_first(
    stage2: Stage2, words: Path, short: Path, tmp_path: Path
) -> None:
    def near(one: list[str], place: int) -> list[str]:
        return one[:3] if place == 0 else one[-3:]

    folder = write_answers(tmp_path / "near", near)
    facts = check_answers(stage2, short, folder)
    assert rule(facts) == "cut_texts"
    found = facts["past_limit"]
    assert (found["limit"], found["by"], found["questions"]) == (LENGTH // 2, "answers", 300)
    assert (found["share"], found["groups"]) == (0.5, 150)
    # Shorter chunks gain what the cut was said to cost.
    cut = check_answers(stage2, short, write_answers(tmp_path / "cut", near, LENGTH // 2))
    assert cut["past_limit"] is None
    assert rule(cut) != "cut_texts"
    gained = cut["rankings"]["model"]["mrr"] - facts["rankings"]["model"]["mrr"]
    assert found["cost"] == pytest.approx(gained, abs=0.05)
    assert gained > 0.3
    # So does a model that reads more.
    whole = check_answers(stage2, words, write_answers(tmp_path / "whole", near))
    assert whole["past_limit"] is None
    assert whole["rankings"]["model"]["mrr"] > facts["rankings"]["model"]["mrr"] + 0.2


def test_answers_that_are_cut_cost_nothing_where_the_beginning_says_enough(
    stage2: Stage2, short: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(3)

    def about(one: list[str], _: int) -> list[str]:
        return [*random.choice(one[:4], 2, replace=False), *random.choice(VOCABULARY, 3)]

    facts = check_answers(stage2, short, write_answers(tmp_path / "about", about))
    assert facts["past_limit"]["share"] == 0.5
    assert rule(facts) != "cut_texts"
    (remark,) = facts["advice"]["remarks"]
    assert remark["rule"] == "answers_cut"


def test_without_answers_cut_texts_are_remarked(check: Check, short: Path, tmp_path: Path) -> None:
    facts = check(short, write_data(tmp_path / "d", questions(400, 5, 4)))
    assert (facts["past_limit"]["by"], facts["past_limit"]["share"]) == ("tokens", 0.5)
    assert rule(facts) != "cut_texts"
    (remark,) = facts["advice"]["remarks"]
    assert remark["rule"] == "truths_cut"


def test_sides_that_leak(check: Check, words: Path, tmp_path: Path) -> None:
    # Questions i and i + 150 ask for one chunk.
    data = write_data(tmp_path / "d", questions(300, 3, 4))
    ids = [f"q{i}" for i in range(300)]
    leaky = tmp_path / "leaky.json"
    leaky.write_text(json.dumps({"train": ids[:150], "dev": ids[150:160], "test": ids[160:]}))
    facts = check(words, data, "--split-file", leaky)
    assert rule(facts) == "mend_sides"
    assert facts["sides"]["test"] == {
        "questions": 140, "same_chunk": 140, "near_duplicate": 0, "same_wording": 0, "share": 1.0
    }  # fmt: skip
    assert facts["power"]["held_out"] == 140
    clean = tmp_path / "clean.json"
    test = [*ids[100:150], *ids[250:]]
    clean.write_text(json.dumps({"train": [*ids[:100], *ids[150:250]], "dev": [], "test": test}))
    facts = check(words, data, "--split-file", clean, "--overwrite")
    assert facts["sides"] == {
        "test": {"questions": 100, "same_chunk": 0, "near_duplicate": 0, "same_wording": 0,
                 "share": 0.0}
    }  # fmt: skip


def test_equal_seeds_give_equal_bytes_and_no_other_files(
    stage2: Stage2, words: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "d", questions(60, 3, 4))
    before = tree(data)
    for name in ("a", "b"):
        stage2("check", "--model", words, "--data", data, "--output-dir", tmp_path / name)
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b")
    own = {files.CHECK, files.CHECK_PAGE, files.CHECK_JSON}
    assert first.keys() == own | {files.RUN, files.SETTINGS}
    assert all(first[name] == second[name] for name in own)
    assert tree(data) == before


def test_it_adds_to_a_run_and_changes_nothing_of_it(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus))
    before = tree(tmp_path / "out")
    stage2("check", *data_flags(corpus), "--model", model_dir)
    after = tree(tmp_path / "out")
    assert {name: after[name] for name in before if name != files.RUN} == {
        name: data for name, data in before.items() if name != files.RUN
    }
    assert json.loads(after[files.RUN])["stages"].keys() == {"prepare", "check"}


def test_a_run_of_any_search_engine(stage2: Stage2, tmp_path: Path) -> None:
    asked = questions(60, 3, 4)
    data = write_data(tmp_path / "d", asked)
    lines = [f"q{i} Q0 d{(chunk + i % 2) % 150} 1 1.0 x" for i, (_, chunk) in enumerate(asked)]
    (tmp_path / "run").write_text("\n".join(lines) + "\n")
    shown = stage2("check", "--run", tmp_path / "run", "--data", data, "--json")
    facts = json.loads(shown.stdout)["result"]["check"]
    assert facts["rankings"].keys() == {"model", "bm25", "fusion"}
    assert facts["rankings"]["model"]["top1"] == 0.5
    # Where the run names a wrong chunk alone, the right one still has its place by BM25.
    fusion, bm25 = facts["rankings"]["fusion"], facts["rankings"]["bm25"]
    assert facts["rankings"]["model"]["recall100"] == 0.5
    assert fusion["recall100"] == bm25["recall100"] == 1
    assert fusion["top3"] > fusion["top1"] == 0.5
    assert facts["prompts"] is None
    assert facts["texts"] == {}


def test_as_a_function(words: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "d", questions(40, 3, 4))
    result = library.check(data=data, model=words, gain=0.9, output_dir=tmp_path / "out")
    assert result.check["power"]["gain"]["gain"] == 0.9
    assert result.check["advice"]["rule"] == "leave"
    assert json.loads((tmp_path / "out" / files.CHECK_JSON).read_text()) == result.check


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--near-duplicate", 0.3], "expected 0.5 or more"),
        (["--test-share", 0], "--test-share 0 leaves no question"),
        (["--folds", 3], "No such option"),
        (["--run", __file__], "--run and --model each name a system"),
    ],
)
def test_what_is_refused(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path,
    flags: list[object], said: str,
) -> None:  # fmt: skip
    call = ["check", *data_flags(corpus), "--model", model_dir, *flags]
    assert said in stage2(*call, exit_code=2).stderr
    assert not (tmp_path / "out").exists()


def test_samples_have_no_corpus_to_look_at(
    stage2: Stage2, corpus: dict[str, Path], model_dir: Path, tmp_path: Path
) -> None:
    stage2("prepare", *data_flags(corpus))
    data = tmp_path / "out" / files.CONSTRUCTED
    call = ["check", "--data", data, "--model", model_dir, "--output-dir", tmp_path / "new"]
    assert "which stage2 check needs" in stage2(*call, exit_code=2).stderr
    assert not (tmp_path / "new").exists()
