"""A model as a folder that sentence-transformers reads, with weights of 16 bits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Role, limit_of
from stage2.models.export.sentence_transformers import write_folder
from stage2.models.fidelity import Read
from stage2.models.sentence_transformers import layout


def write(model: Encoder, folder: Path) -> Read:
    """Write the folder, and return a function that embeds with its weights, in float32.

    A processor computes in float32, and a GPU in half precision if it is told to.
    """
    with tempfile.TemporaryDirectory() as whole:
        write_folder(model, Path(whole))
        source = layout.load_folder(Path(whole))
        roles: tuple[Role, ...] = ("query", "document")
        limits = {role: limit_of(model, role) for role in roles}
        layout.save(source, folder, {}, limits, torch.float16)
    return layout.reader_of(folder, model.similarity)
