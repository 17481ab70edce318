"""A model as a graph of ONNX whose weights have 8 bits, in the folder of `--to onnx`.

The quantisation is dynamic: weights are rounded when the graph is written, states when it runs.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from stage2.encoding.encoder import Encoder
from stage2.models.export.onnx import (
    GRAPH,
    drop_weights,
    reader_of,
    write_graph,
    write_library,
)
from stage2.models.fidelity import Read


def write(model: Encoder, folder: Path) -> Read:
    """Write the folder, and return a function that embeds with its graph by onnxruntime.

    Raises:
        BadInputError: the model is none that a graph of ids and mask can compute.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = write_library(model, folder)
    (root / GRAPH).parent.mkdir()
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / GRAPH.name
        write_graph(model, folder, whole)
        # It advises a pass that needs another package, and that the check afterwards makes up for.
        logging.disable(logging.WARNING)
        try:
            # Unsigned weights: signed ones overflow on processors without VNNI, and would give
            # other vectors there than where they were measured.
            quantize_dynamic(whole, root / GRAPH, per_channel=True, weight_type=QuantType.QUInt8)
        finally:
            logging.disable(logging.NOTSET)
    drop_weights(root)
    return reader_of(model, root)
