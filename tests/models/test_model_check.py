"""Encoders and cross-encoders that cannot work are refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from stage2.models.init_model import init_model
from stage2.utils.errors import BadInputError
from tests.conftest import Stage2
from tests.model_folders import OPTIONS, change, copied, rewritten, saved

TINY: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1,
                        "num_attention_heads": 2, "intermediate_size": 32}  # fmt: skip


def test_an_encoder_with_a_decoder_is_refused(
    backbone: Path, tmp_path: Path, stage2: Stage2
) -> None:
    config = transformers.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=1,
                                   num_heads=2, decoder_start_token_id=0)  # fmt: skip
    folder = saved(transformers.T5Model(config), tmp_path / "m", backbone)
    result = stage2("init", "--backbone", folder, "--no-fit", exit_code=2)
    assert "is an encoder with a decoder" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_with_more_tokens_than_the_table_is_refused(
    backbone: Path, tmp_path: Path
) -> None:
    config = transformers.BertConfig(**TINY | {"vocab_size": 20})
    folder = saved(transformers.BertModel(config), tmp_path / "m", backbone)
    with pytest.raises(BadInputError, match="20 rows; expected the tokenizer of this encoder"):
        init_model(str(folder), [], **OPTIONS)


def test_a_decoder_without_a_padding_token_is_refused(backbone: Path, tmp_path: Path) -> None:
    config = transformers.GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2)
    folder = saved(transformers.GPT2Model(config), tmp_path / "m", backbone)
    change(folder / "tokenizer_config.json", pad_token=None)
    with pytest.raises(BadInputError, match="has no padding token; name one as pad_token"):
        init_model(str(folder), [], **OPTIONS)


def test_an_added_token_without_a_row_is_unknown(backbone: Path) -> None:
    """The vocabulary of the tiny encoder has no mask token, so its tokenizer adds one."""
    made = init_model(str(backbone), [], **OPTIONS)
    assert len(made.tokenizer) > made.vocabulary
    found = made.encode(["the [MASK] sailed", "the [UNK] sailed"], precision="fp32").mu
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_a_model_that_gives_no_finite_vector_is_refused(backbone: Path, tmp_path: Path) -> None:
    folder = copied(backbone, tmp_path / "m")
    rewritten(folder, lambda state: {k: v * 1e30 if "dense" in k else v for k, v in state.items()})
    with pytest.raises(BadInputError, match="not finite"):
        init_model(str(folder), [], **OPTIONS)
