"""Models of each kind: vectors as the library has them, before training and after it is written."""

from __future__ import annotations

import copy
import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role
from stage2.models.auto import load_model
from stage2.models.hub import DEFAULT_PACKAGE
from stage2.utils.arrays import Floats
from tests.sentence_models import KINDS, write_model
from tests.small import TEXTS

NAMES = list(KINDS)


# The packages that bring all-MiniLM-L6-v2: one as a folder, one as a folder in a zip.
PACKAGED = (DEFAULT_PACKAGE, "all_minilm_l6_v2")


@pytest.fixture(scope="module", params=[*NAMES, *PACKAGED])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kind")
    if request.param not in PACKAGED:
        return write_model(KINDS[request.param], path)
    # The package is found and not imported, since it may import much more.
    spec = importlib.util.find_spec(request.param)
    if spec is None and request.param == DEFAULT_PACKAGE:
        pytest.skip("the extra minilm is not there")
    # The other one comes with what the tests need.
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if (package / "model").is_dir():
        return package / "model"
    with zipfile.ZipFile(package / "model.zip") as packed:
        packed.extractall(path / "model")
    return path / "model"


def theirs(path: Path, role: Role, cosine: bool) -> Floats:
    """The vectors of the library itself, in float32."""
    model = SentenceTransformer(str(path), device="cpu", model_kwargs={"dtype": torch.float32})
    model.float()
    names = ("query",) if role == "query" else ("document", "passage")
    prompt = next((model.prompts[name] for name in names if model.prompts.get(name)), None)
    found: Floats = model.encode(TEXTS, prompt=prompt, normalize_embeddings=cosine)
    return found


def check_equal(model: Encoder, path: Path) -> None:
    for role in ("query", "document"):
        ours = encode(model, TEXTS, role=role, precision="fp32").mu
        right = theirs(path, role, model.similarity == "cosine")
        assert np.abs(ours - right).max() <= 1e-5 * max(1, np.abs(right).max())
    # Two texts that are not the same are not near each other by chance of small weights.
    assert np.abs(right[0] - right[1]).max() > 1e-3


def test_vectors_are_the_librarys(folder: Path) -> None:
    check_equal(load_model(folder), folder)


def test_what_is_trained_and_written_is_the_librarys_too(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    before = encode(model, TEXTS, precision="fp32").mu
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    from stage2.encoding.tokens import collate, tokenize

    tokens = tokenize(model, TEXTS, [()] * len(TEXTS))
    for _ in range(2):
        optimizer.zero_grad()
        pooled = model(collate(model, tokens, np.arange(len(TEXTS))))
        pooled.mu[:, 0].sum().backward()
        optimizer.step()
    model.eval()
    model.save(tmp_path / "written")
    written = load_model(tmp_path / "written")
    assert np.abs(encode(written, TEXTS, precision="fp32").mu - before).max() > 1e-4
    check_equal(written, tmp_path / "written")
    assert written.prompts == model.prompts
    assert written.similarity == model.similarity
    assert written.pools_prompt == model.pools_prompt
    for name, weight in written.state_dict().items():
        kept = model.state_dict()[name]
        # Half precision holds fewer digits.
        torch.testing.assert_close(weight, kept, rtol=1e-3, atol=1e-6)


def test_a_copy_is_written_with_its_own_weights(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.mul_(1.25).add_(0.01)
    twin.save(tmp_path / "copy")
    found = encode(load_model(tmp_path / "copy"), TEXTS, precision="fp32").mu
    # The type in which the weights are written may round them.
    close = 1e-5 if model.saved_dtype == torch.float32 else 2e-2
    np.testing.assert_allclose(found, encode(twin, TEXTS, precision="fp32").mu, atol=close)
    assert np.abs(found - encode(model, TEXTS, precision="fp32").mu).max() > 1e-3
