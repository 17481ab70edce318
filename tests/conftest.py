from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings

from stage2 import ProbabilisticGBERTV4
from stage2.cli.main import program
from stage2.models.init_model import init_model
from stage2.training import own_loss
from stage2.training.losses import FUNCTIONS
from stage2.variants import LOSSES
from tests.small import make_cross_encoder, write_backbone, write_corpus

# Tests must not depend on the speed of the machine. By default an example of 200 ms would fail.
settings.register_profile("stage2", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("stage2")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        message = f"{folder} is not there: it holds data that is kept beside this checkout"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder with results of the reference implementation."""
    return _shared("golden")


@pytest.fixture(scope="session")
def monte_cristo() -> Path:
    return _shared("data") / "monte_cristo"


@pytest.fixture(scope="session")
def xquad() -> Path:
    return _shared("data") / "xquad"


@pytest.fixture(scope="session")
def medquad() -> Path:
    return _shared("data/medquad")


@pytest.fixture(autouse=True, scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests away from the cache of the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tiny BERT with random weights and a tokenizer of whole words, without a download."""
    return write_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def losses_of_the_test() -> Iterator[None]:
    """Take the losses away that a test adds."""
    before = {*LOSSES}
    yield
    for name in {*LOSSES} - before:
        del LOSSES[name], FUNCTIONS[name], own_loss._ADDED[name]


@pytest.fixture(scope="session")
def model_dir(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a stage-1 model of the tiny BERT with random heads."""
    folder = tmp_path_factory.mktemp("init") / "stage1"
    made = init_model(str(backbone), [], embedding_dim=64, max_length=128, seed=0, fit=False)
    made.save_pretrained(folder)
    return folder


@pytest.fixture
def model(model_dir: Path) -> ProbabilisticGBERTV4:
    return ProbabilisticGBERTV4.from_pretrained(model_dir)


@pytest.fixture(scope="session")
def cross_encoder(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a cross-encoder with random weights and the tiny BERT's vocabulary."""
    return make_cross_encoder(backbone, tmp_path_factory.mktemp("cross"), outputs=1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write small data: 12 questions over 20 chunks. Two questions share a chunk."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def finished(
    corpus: dict[str, Path], model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a run over the small data that has ended, with hard questions on each side."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    flags = ["--topk", "1", "--epochs", "1", "--learning-rate", "1e-3", "--folds", "0"]
    # With candidates of their own, ranks of both kinds are there.
    flags += ["--source", "candidates"]
    words = ["run", "--model", str(model_dir), *data_flags(corpus), *flags]
    result = CliRunner().invoke(program, [*words, "--output-dir", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


Stage2 = Callable[..., Result]


@pytest.fixture
def stage2(tmp_path: Path) -> Stage2:
    """Call the program: `stage2("mine", "--topk", 3)`. The default output is tmp_path/out."""

    def call(*arguments: object, exit_code: int = 0) -> Result:
        words = [str(argument) for argument in arguments]
        command = program.commands.get(words[0])
        takes_folder = command and any(one.name == "output_dir" for one in command.params)
        if takes_folder and "--output-dir" not in words and "--help" not in words:
            words += ["--output-dir", str(tmp_path / "out")]
        result = CliRunner().invoke(program, words)
        assert result.exit_code == exit_code, result.output
        assert "Traceback" not in result.output
        return result

    return call


COMMANDS = tuple(program.commands)


def data_flags(corpus: dict[str, Path]) -> list[str]:
    return [word for name, path in corpus.items() for word in (f"--{name}", str(path))]


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
