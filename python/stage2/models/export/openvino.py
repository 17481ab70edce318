"""A model as a graph of OpenVINO, in the folder that SentenceTransformer reads with its backend.

It is the graph of `onnx`, with the same inputs and outputs, read and written by OpenVINO itself.
Its weights stay in float32, and it is run in float32. Without being told, OpenVINO computes in
bfloat16 on a processor that has it, and a graph has no place to say otherwise.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from stage2.encoding.encoder import Encoder
from stage2.models.export.onnx import (
    VECTOR,
    drop_weights,
    embedding,
    write_graph,
    write_library,
)
from stage2.models.fidelity import Read
from stage2.utils.errors import BadInputError

GRAPH = Path("openvino") / "openvino_model.xml"
_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}
_TELEMETRY = "openvino_telemetry"


def write(model: Encoder, folder: Path) -> Read:
    """Write the folder, and return a function that embeds with its graph by OpenVINO.

    Raises:
        BadInputError: the model is none that a graph of ids and mask can compute, or OpenVINO does
            not know what its graph computes.
    """
    root = write_library(model, folder)
    (root / GRAPH).parent.mkdir()
    openvino = library()
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as place:
        # A large graph has files beside it, which the folder does not need.
        source = Path(place) / "model.onnx"
        write_graph(model, folder, source)
        try:
            # Not `convert_model`, whose use OpenVINO reports to its makers.
            graph = core.read_model(source)
            _name_by_place(graph)
            openvino.save_model(graph, root / GRAPH, compress_to_fp16=False)
            del graph
            compiled = core.compile_model(root / GRAPH, "CPU", _EXACT)
        except RuntimeError as error:
            reason = str(error).strip().rsplit("\n", 1)[-1]
            raise BadInputError(
                f"OpenVINO cannot run the graph of a {type(model.backbone).__name__} ({reason}); "
                "expected an encoder that it knows. Give --to onnx"
            ) from error
    drop_weights(root)
    return embedding(model, root, lambda tokens: compiled(tokens)[VECTOR].copy())


def _name_by_place(graph: Any) -> None:
    """Name what OpenVINO names by a count over its process, so that equal models are equal bytes.

    Names that come from the model are kept.
    """
    for place, node in enumerate(graph.get_ordered_ops()):
        kind, _, count = node.get_friendly_name().rpartition("_")
        if kind == node.get_type_name() and count.isdecimal():
            node.set_friendly_name(f"{kind}_{place}")


def library() -> Any:
    """Import OpenVINO without its telemetry, which sends an event whenever it is imported."""
    if "openvino" not in sys.modules:
        # A module that is None cannot be imported, and OpenVINO does without this one.
        cast(dict[str, object], sys.modules)[_TELEMETRY] = None
    return import_module("openvino")
