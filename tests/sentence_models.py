"""Tiny models with random weights, saved by sentence-transformers itself: one of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    Dense,
    Dropout,
    LayerNorm,
    Normalize,
    Pooling,
    StaticEmbedding,
    Transformer,
    WeightedLayerPooling,
    WordEmbeddings,
    WordWeights,
)
from sentence_transformers.sentence_transformer.modules.tokenizer import WhitespaceTokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn

from tests.small import WORDS

LENGTH = 48
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_VOCABULARY = [*_SPECIAL, *WORDS, "query", "passage", ":", "instruct", "find"]
_SMALL = {
    "vocab_size": len(_VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 0,
}
_POSITIONS = {"max_position_embeddings": 64}
_DECODER = {"num_key_value_heads": 1, "head_dim": 16, **_POSITIONS}


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Attributes:
        config: makes the configuration of its transformer; None for a table of vectors.
        over: modules over a table of vectors of words; None for a table without words.
        pooling: as the library names it.
        before: modules between the transformer and the pooling.
        after: modules after the pooling.
        prompts: by the names that the model gives them.
        similarity: by the library's name.
        include_prompt: whether a prompt is pooled.
        dtype: of the weights on disk.
        ends_with: the token behind a text, in place of BERT's [SEP].
        left: whether its tokenizer pads on the left.
    """

    config: Callable[[], Any] | None
    pooling: str = "mean"
    before: Callable[[], list[nn.Module]] = list
    after: Callable[[], list[nn.Module]] = list
    prompts: Mapping[str, str] = field(default_factory=dict)
    similarity: str = "cosine"
    include_prompt: bool = True
    dtype: torch.dtype = torch.float32
    left: bool = False
    over: Callable[[], list[nn.Module]] | None = None


def _bert() -> Any:
    return transformers.BertConfig(**_SMALL, **_POSITIONS)


def _roberta() -> Any:
    return transformers.RobertaConfig(**_SMALL, max_position_embeddings=66, type_vocab_size=1)


def _xlm_roberta() -> Any:
    return transformers.XLMRobertaConfig(**_SMALL, max_position_embeddings=66, type_vocab_size=1)


def _distilbert() -> Any:
    return transformers.DistilBertConfig(
        vocab_size=len(_VOCABULARY), dim=32, n_layers=2, n_heads=2, hidden_dim=64, pad_token_id=0,
        **_POSITIONS,
    )  # fmt: skip


def _mpnet() -> Any:
    # Its positions begin after the padding's id, which is 1 in the models that people have.
    return transformers.MPNetConfig(**_SMALL | {"pad_token_id": 0}, max_position_embeddings=66)


def _deberta() -> Any:
    return transformers.DebertaV2Config(
        **_SMALL, **_POSITIONS, relative_attention=True, pos_att_type=["p2c", "c2p"],
        position_buckets=16, type_vocab_size=0,
    )  # fmt: skip


def _modernbert() -> Any:
    return transformers.ModernBertConfig(
        **_SMALL, **_POSITIONS, global_attn_every_n_layers=2, local_attention=16,
        bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
    )  # fmt: skip


def _qwen3() -> Any:
    return transformers.Qwen3Config(**_SMALL, **_DECODER, bos_token_id=2, eos_token_id=3)


def _gemma3() -> Any:
    return transformers.Gemma3TextConfig(
        **_SMALL, **_DECODER, use_bidirectional_attention=True, sliding_window=16,
        query_pre_attn_scalar=16, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip


def _dense(width: int) -> Callable[[], list[nn.Module]]:
    return lambda: [Dense(32, width, activation_function=nn.Tanh()), Normalize()]


def _layers() -> Any:
    return transformers.BertConfig(**_SMALL, **_POSITIONS, output_hidden_states=True)


def weights_of_words(seed: int, vocabulary: Sequence[str] = _VOCABULARY) -> WordWeights:
    random = np.random.default_rng(seed)
    weights = dict(zip(vocabulary[::2], random.uniform(0.5, 3.0, len(vocabulary)), strict=False))
    return WordWeights(list(vocabulary), weights, unknown_word_weight=0.8)


def _norm() -> list[nn.Module]:
    return [Dropout(0.0), LayerNorm(32)]


KINDS: Mapping[str, Kind] = {
    "bert, cls, query prompt": Kind(
        _bert, "cls", after=lambda: [Normalize()], prompts={"query": "find the "}
    ),
    "e5, two prompts": Kind(
        _bert,
        after=lambda: [Normalize()],
        prompts={"query": "query : ", "passage": "passage : "},
    ),
    "roberta": Kind(_roberta),
    "xlm-roberta": Kind(_xlm_roberta, "cls"),
    "distilbert": Kind(_distilbert, "max"),
    "mpnet": Kind(_mpnet, "mean_sqrt_len_tokens"),
    "deberta-v2": Kind(_deberta),
    "modernbert": Kind(_modernbert),
    "qwen3, last token": Kind(
        _qwen3, "lasttoken", after=lambda: [Normalize()], prompts={"query": "instruct : find "},
        left=True,
    ),
    "gemma3": Kind(_gemma3, after=_dense(24)),
    "dense": Kind(_bert, after=_dense(16)),
    "weighted mean": Kind(_bert, "weightedmean"),
    "dot product": Kind(_bert, "cls", similarity="dot"),
    "euclidean distance": Kind(_bert, "max", similarity="euclidean"),
    "manhattan distance": Kind(_distilbert, after=_dense(16), similarity="manhattan"),
    "half precision": Kind(_bert, "mean", dtype=torch.float16),
    "prompt not pooled": Kind(
        _bert, "mean", after=lambda: [Normalize()], prompts={"query": "find the "},
        include_prompt=False,
    ),
    "layer norm": Kind(_bert, after=_norm),
    "mean over layers": Kind(_layers, before=lambda: [WeightedLayerPooling(32, 2, 1)]),
    "mean over layers that are not given": Kind(
        _bert, before=lambda: [WeightedLayerPooling(32, 2, 1)]
    ),
    "static": Kind(None, after=lambda: [Normalize()], prompts={"query": "find the "}),
    "static, dense, half precision": Kind(None, after=_dense(16), dtype=torch.float16),
    "words, weights": Kind(
        None, over=list, before=lambda: [weights_of_words(3, ["PADDING_TOKEN", *WORDS])]
    ),
    "weights of words": Kind(
        _bert, "mean_sqrt_len_tokens", before=lambda: [weights_of_words(3)], after=_dense(16)
    ),
    "weights of words, prompt not pooled": Kind(
        _bert, "weightedmean", before=lambda: [weights_of_words(4)], prompts={"query": "find the "},
        include_prompt=False,
    ),
    "words": Kind(None, over=list, after=lambda: [Normalize()], prompts={"query": "find the "}),
    "words, lstm, dense": Kind(None, "max", over=lambda: [LSTM(32, 16)], after=_dense(16)),
    "words, lstm, cnn, half precision": Kind(
        None, over=lambda: [LSTM(32, 16), CNN(32, 16, [1, 3])], dtype=torch.float16
    ),
}  # fmt: skip


def make_tokenizer() -> Tokenizer:
    """A tokenizer of whole words that puts a token before a text and one behind it."""
    numbers = {word: number for number, word in enumerate(_VOCABULARY)}
    made = Tokenizer(models.WordLevel(numbers, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", [("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def write_tokenizer(folder: Path, left: bool) -> None:
    """The same tokenizer as one of transformers."""
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=LENGTH,
        padding_side="left" if left else "right",
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip


def write_encoder(kind: Kind, folder: Path) -> Path:
    """The transformer of a kind as a folder of Hugging Face's."""
    torch.manual_seed(0)
    assert kind.config is not None
    config = kind.config()
    # With dropout on, two ways to train could not be compared.
    for name in vars(config):
        if "dropout" in name and isinstance(getattr(config, name), float):
            setattr(config, name, 0.0)
    encoder = transformers.AutoModel.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            # With small random weights the vectors of all texts would be nearly the same.
            if weight.dim() == 2:
                weight.normal_(std=0.3 if "embed" in name else 0.1)
    encoder.save_pretrained(folder)
    write_tokenizer(folder, kind.left)
    return folder


def _words(kind: Kind) -> list[nn.Module]:
    """A table of words, of which row 0 is the padding, and the modules over it."""
    torch.manual_seed(1)
    table = torch.randn(1 + len(WORDS), 32)
    table[0] = 0
    tokenizer = WhitespaceTokenizer(["PADDING_TOKEN", *WORDS], stop_words=["of", "to"])
    assert kind.over is not None
    over = kind.over()
    width = over[-1].get_embedding_dimension() if over else 32
    words = WordEmbeddings(tokenizer, table, max_seq_length=LENGTH // 2)
    return [words, *over, *kind.before(), Pooling(width, kind.pooling), *kind.after()]


def _modules(kind: Kind, folder: Path) -> list[nn.Module]:
    if kind.over is not None:
        return _words(kind)
    if kind.config is None:
        tokenizer = make_tokenizer()
        # Such a tokenizer cuts texts by itself, and no special token is put around them.
        tokenizer.enable_truncation(LENGTH // 2)
        torch.manual_seed(1)
        table = torch.randn(len(_VOCABULARY), 32)
        return [StaticEmbedding(tokenizer, embedding_weights=table), *kind.after()]
    encoder = write_encoder(kind, folder / "encoder")
    torch.manual_seed(1)
    transformer = Transformer(str(encoder), max_seq_length=LENGTH)
    pooling = Pooling(32, kind.pooling, include_prompt=kind.include_prompt)
    return [transformer, *kind.before(), pooling, *kind.after()]


def write_model(kind: Kind, folder: Path) -> Path:
    """A model of a kind, as the library saves it."""
    made = SentenceTransformer(
        modules=_modules(kind, folder),
        prompts=dict(kind.prompts),
        similarity_fn_name=kind.similarity,
        device="cpu",
    )
    made.to(kind.dtype).save(str(folder / "model"), create_model_card=False)
    return folder / "model"
