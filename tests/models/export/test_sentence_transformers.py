"""A ProbabilisticGBERTV4 as a folder of sentence-transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from stage2 import ProbabilisticGBERTV4
from stage2.encoding.encode import encode
from stage2.models.auto import load_model
from tests.conftest import Stage2
from tests.sentence_models import KINDS, write_encoder
from tests.small import TEXTS


def test_the_library_gives_the_models_vectors(
    stage2: Stage2, model: ProbabilisticGBERTV4, model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "exported"
    stage2("export", "--model", model_dir, "--to", "sentence-transformers", "--output-dir", folder)
    ours = model.encode(TEXTS, precision="fp32").mu
    library = SentenceTransformer(str(folder), device="cpu")
    assert np.abs(library.encode(TEXTS) - ours).max() < 1e-5
    # The exported folder can be trained as any model of its layout.
    assert np.abs(encode(load_model(folder), TEXTS, precision="fp32").mu - ours).max() < 1e-5


def test_an_encoder_of_hugging_face_is_read_as_it_is(stage2: Stage2, tmp_path: Path) -> None:
    folder = write_encoder(KINDS["roberta"], tmp_path / "encoder")
    to = ["--to", "sentence-transformers", "--output-dir", tmp_path / "exported"]
    refused = stage2("export", "--model", folder, *to, exit_code=2)
    assert "there is nothing to export" in refused.stderr
    assert not (tmp_path / "exported").exists()
