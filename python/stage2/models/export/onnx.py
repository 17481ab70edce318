"""A model as a graph of ONNX, in the folder that sentence-transformers reads with backend="onnx".

The graph takes `input_ids` and `attention_mask`, int64 (B, T), padded on any side that the
tokenizer pads. It gives `last_hidden_state`, float (B, T, D), which that library pools by the
modules of the folder, and `sentence_embedding`, float (B, d), with which other programs need no
pooling of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role, limit_of, prompts_of
from stage2.models.export.sentence_transformers import write_folder
from stage2.models.fidelity import Read
from stage2.models.hub import quiet_transformers
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.layers import LayerMean
from stage2.models.sentence_transformers.modules import STATIC, read_modules
from stage2.models.sentence_transformers.pooling import pooled, weigh
from stage2.utils import tensors
from stage2.utils.arrays import Floats, Ints
from stage2.utils.errors import BadInputError

GRAPH = Path("onnx") / "model.onnx"
_INPUTS = ("input_ids", "attention_mask")
VECTOR = "sentence_embedding"
_OUTPUTS = ("last_hidden_state", VECTOR)
# The last set of operators that onnxruntime, OpenVINO and TensorRT of the last years all run.
_OPSET = 17
_BATCH = 32


def write(model: Encoder, folder: Path) -> Read:
    """Write the folder, and return a function that embeds with its graph by onnxruntime.

    Raises:
        BadInputError: the model is none that a graph of ids and mask can compute.
    """
    root = write_library(model, folder)
    write_graph(model, folder, root / GRAPH)
    drop_weights(root)
    return reader_of(model, root)


def write_graph(model: Encoder, folder: Path, path: Path) -> None:
    """Write the graph of a folder of sentence-transformers.

    Args:
        model: the model.
        folder: the folder, which `write_folder` wrote.
        path: the path of the graph.

    Raises:
        BadInputError: torch cannot trace the encoder.
    """
    source = layout.load_folder(folder)
    graph = _Graph(source, model).eval()
    path.parent.mkdir(exist_ok=True)
    ids = torch.full((2, 7), source.tokenizer.pad_token_id)
    ids[:, :5] = torch.tensor(source.tokenizer("a b")["input_ids"])[0]
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    sizes = {name: {0: "texts", 1: "tokens"} for name in (*_INPUTS, _OUTPUTS[0])}
    # The exporter by tracing runs from torch 2.4 on and takes a tenth of the other's time. Whether
    # the trace holds for other texts than this is seen when the graph is run.
    with torch.no_grad(), warnings.catch_warnings(), quiet_transformers():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                graph, (ids, mask), str(path), input_names=list(_INPUTS),
                output_names=list(_OUTPUTS), dynamic_axes={**sizes, VECTOR: {0: "texts"}},
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
        except Exception as error:  # The errors of the exporter have no common class.
            kind = type(source.backbone).__name__
            reason = str(error).strip().split("\n", 1)[0]
            raise BadInputError(
                f"torch cannot write a {kind} as a graph of ONNX ({reason}); expected an encoder "
                "that it knows. Give --to torch-fp16"
            ) from error


def drop_weights(root: Path) -> None:
    """Remove the weights beside a graph, which has its own."""
    for weights in tensors.weight_files(root):
        weights.unlink()


def reader_of(model: Encoder, root: Path) -> Read:
    """Return a function that embeds with a graph, by onnxruntime and the folder's tokenizer."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(root / GRAPH), providers=["CPUExecutionProvider"])
    return embedding(model, root, lambda tokens: session.run([VECTOR], tokens)[0])


def embedding(model: Encoder, root: Path, run: Callable[[dict[str, Ints]], Floats]) -> Read:
    """Return a function that embeds with a graph and the folder's tokenizer.

    Args:
        model: the model that was written, for its prompts and limits.
        root: the folder of the tokenizer.
        run: a function that returns the vectors, float32 (B, d), for `input_ids` and
            `attention_mask`, int64 (B, T).
    """
    import transformers

    with quiet_transformers():
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(root), local_files_only=True)
    prompts = prompts_of(model)

    def embed(texts: Sequence[str], role: Role) -> Floats:
        found = []
        for start in range(0, len(texts), _BATCH):
            tokens: Any = tokenizer(
                [prompts.get(role, "") + text for text in texts[start : start + _BATCH]],
                padding=True, truncation=True, max_length=limit_of(model, role),
                return_tensors="np",
            )  # fmt: skip
            given = {name: tokens[name].astype(np.int64) for name in _INPUTS}
            found.append(run(given))
        return np.concatenate(found)

    return embed


class _Graph(nn.Module):
    """A model of sentence-transformers as a function of ids and mask."""

    def __init__(self, source: layout.Source, model: Encoder) -> None:
        super().__init__()
        self.backbone = source.backbone
        self.before, self.after = nn.ModuleList(source.before), nn.ModuleList(source.after)
        self.pooling, self.width = source.pooling, model.embedding_dim
        self.normal = model.similarity == "cosine"
        self.word_weights = source.word_weights

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        last = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, return_dict=True
        ).last_hidden_state
        states = last
        for module in self.before:
            states = module({"token_embeddings": states})["token_embeddings"]
        total = None
        if self.word_weights is not None:
            states, total = weigh(states, self.word_weights, input_ids, attention_mask)
        vectors = pooled(states, attention_mask.bool(), self.pooling, total)
        for module in self.after:
            vectors = module({"sentence_embedding": vectors})["sentence_embedding"]
        vectors = vectors[:, : self.width]
        return last, F.normalize(vectors, dim=-1) if self.normal else vectors


def write_library(model: Encoder, folder: Path) -> Path:
    """Write the folder of sentence-transformers, and return the folder of its transformer."""
    write_folder(model, folder)
    first = read_modules(folder)[0]
    if first.kind == STATIC:
        raise BadInputError(
            "a table of vectors has no graph to run; sentence-transformers reads it as it is"
        )
    if isinstance(model.backbone, LayerMean):
        raise BadInputError(
            "the model takes a mean over its layers, and a graph that others pool gives the last"
        )
    if not model.pools_prompt and any(prompts_of(model).values()):
        raise BadInputError(
            "the model pools a text without its prompt, and a graph of ids and mask cannot know "
            "where that ends; expected a model that pools it, or none (--query-prompt '')"
        )
    return first.folder
