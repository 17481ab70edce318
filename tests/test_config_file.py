"""Files of settings: which are refused, and with which messages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stage2.config_file import check_toml, nearest, read_toml, template
from stage2.utils.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("batch_size = 4\nbatch-size = 8\n", ":2: 'batch_size' and 'batch-size' are one setting"),
        ('"batch-size" = 8\n# no more\nbatch_size = 4\n', ":3: 'batch-size' and 'batch_size'"),
        ("\nbatchsize = 4\n", ":2: 'batchsize' is no setting; did you mean batch_size or batches?"),
        ("epoch = 4\n", "did you mean epochs?"),
        ("Learning-Rate = 4\n", "did you mean learning_rate?"),
        ("[train]\nepochs = 2\n", "--train is {'epochs': 2}; expected text"),
        ("[train_no]\nepochs = 2\n", "'train_no' is no setting; did you mean train_on"),
        ("zzz = 1\n", "'zzz' is no setting; expected some of output_dir, seed"),
        ("topk = 3\nepochs = 'two'\n", ":2: --epochs is 'two'; expected a whole number"),
        ("topk = \n", "not TOML"),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "stage2.toml"
    path.write_text(text)
    with pytest.raises(BadInputError) as refused:
        read_toml(path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_either_spelling_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "stage2.toml"
    path.write_text("batch-size = 8\nlearning_rate = 1e-3\n")
    assert read_toml(path) == {"batch_size": 8, "learning_rate": 1e-3}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadInputError, match="no regular file"):
            read_toml(path)


def test_names_that_are_like_no_other() -> None:
    assert nearest("los", ["loss", "lora"]) == "did you mean loss?"
    assert nearest("q", ["loss", "lora"]) == "expected some of loss, lora"


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "stage2.toml"
    path.write_text("epoch = 3\nseed = 1\ntopk = 'x'\n")
    checked = check_toml(path)
    assert checked.settings == {"seed": 1}
    assert [problem.split(":")[1] for problem in checked.problems] == ["1", "3"]


def test_a_value_that_its_group_refuses_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "stage2.toml"
    path.write_text("seed = 1\nmemory_budget = 'much'\n")
    with pytest.raises(BadInputError, match=":2: --memory-budget is 'much'; expected a size"):
        read_toml(path)


def test_a_template_shows_defaults_and_sets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "stage2.toml"
    path.write_text(template(["epochs", "folds"], {"epochs": 2}, "Of a test."))
    lines = path.read_text().splitlines()
    assert lines[0] == "# Of a test."
    assert "#epochs = 2" in lines
    assert "#folds = 0  # not set by default" in lines
    assert read_toml(path) == {}
