from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings

from stage2 import ProbabilisticGBERTV4
from stage2.cli import program
from stage2.init import init_model

# No test knows how fast the machine is: by default an example of 200 ms fails.
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
    """Answers of the reference implementation."""
    return _shared("golden")


@pytest.fixture(scope="session")
def monte_cristo() -> Path:
    return _shared("data") / "monte_cristo"


@pytest.fixture(scope="session")
def xquad() -> Path:
    return _shared("data") / "xquad"


@pytest.fixture(autouse=True, scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the cache of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


WORDS = tuple(
    dict.fromkeys(
        "the count of monte cristo sailed from marseilles to elba with a letter for the marshal "
        "and came back rich old ship treasure island prison abbot sea night lantern who where what "
        "did hide bring find open key door stone map captain sailor merchant diamond".split()
    )
)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and a tokenizer of whole words, made here: no download."""
    folder = tmp_path_factory.mktemp("backbone")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    # From files, which transformers of all versions makes a tokenizer of.
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=64)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_dir(backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage-1 model with random heads over the tiny BERT."""
    folder = tmp_path_factory.mktemp("init") / "stage1"
    made = init_model(str(backbone), [], embedding_dim=64, max_length=128, seed=0, fit=False)
    made.save_pretrained(folder)
    return folder


@pytest.fixture
def model(model_dir: Path) -> ProbabilisticGBERTV4:
    return ProbabilisticGBERTV4.from_pretrained(model_dir)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small data of our own: 12 questions over 20 chunks, two questions sharing a chunk."""
    folder = tmp_path_factory.mktemp("corpus")
    size = len(WORDS)
    texts = [" ".join(WORDS[(i * 7 + j * 3) % size] for j in range(9)) for i in range(20)]
    chunks = [{"chunk_id": f"c{i:02}", "text": text} for i, text in enumerate(texts)]
    qa = [
        {
            "question": " ".join(WORDS[(i * 5 + j) % size] for j in range(6)),
            "chunk_id": f"c{i % 11:02}",
            "qa_id": f"q{i:02}",
            "answer": WORDS[i],
        }
        for i in range(12)
    ]
    annotated = texts[:15] + [row["question"] for row in qa[:6]]
    entities = [
        {"text": text, "targets": [{"char_start": 0, "char_end": len(text.split()[0])}]}
        for text in annotated
    ]
    paths = {name: folder / f"{name}.jsonl" for name in ("qa", "chunks", "entities")}
    for name, rows in (("qa", qa), ("chunks", chunks), ("entities", entities)):
        write_jsonl(paths[name], rows)
    return paths


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


Stage2 = Callable[..., Result]


@pytest.fixture
def stage2(tmp_path: Path) -> Stage2:
    """The program: `stage2("mine", "--topk", 3)`; output goes to tmp_path/out unless it says."""

    def call(*arguments: object, exit_code: int = 0) -> Result:
        words = [str(argument) for argument in arguments]
        if (
            words[0] in COMMANDS
            and words[0] != "cache"
            and "--output-dir" not in words
            and "--help" not in words
        ):
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
    """Every file below a folder, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
