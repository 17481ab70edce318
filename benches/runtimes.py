"""Other backends of sentence-transformers, in their own process and environment.

The export to ONNX and OpenVINO needs an older version of transformers than the one measured here.
The texts are sent once. For each run a word is sent, and a file of vectors comes back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benches.inputs import Vectors

# `make bench` creates this environment.
ENVIRONMENT = Path(sys.prefix) / "runtimes"
BACKENDS = ("onnx", "openvino")


class Runtime:
    """A model in another process, connected by a pipe."""

    def __init__(self, backend: str, model: str, texts: list[str], length: int, folder: Path):
        self.name = f"sentence-transformers, {backend}"
        self._vectors = folder / f"{backend}.npy"
        self._child = subprocess.Popen(
            [ENVIRONMENT / "bin" / "python", "-I", "-W", "ignore", __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        task = {"backend": backend, "model": model, "texts": texts, "length": length,
                "vectors": str(self._vectors)}  # fmt: skip
        self._ask(json.dumps(task))

    def encode(self) -> Vectors:
        """Embed the texts: float32 (n, d)."""
        import numpy as np

        self._ask("encode")
        found: Vectors = np.load(self._vectors, allow_pickle=False)
        return found

    def close(self) -> None:
        self._child.communicate()

    def _ask(self, line: str) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()
        # The export also prints to stdout.
        while (answer := self._child.stdout.readline()) != "done\n":
            if not answer:
                raise RuntimeError(f"{self.name} ended: {ENVIRONMENT / 'bin' / 'python'}")


@contextmanager
def runtimes(model: str, texts: list[str], length: int, folder: Path) -> Iterator[list[Runtime]]:
    """Yield all backends, or none if their environment does not exist."""
    found: list[Runtime] = []
    try:
        if ENVIRONMENT.exists():
            found += [Runtime(name, model, texts, length, folder) for name in BACKENDS]
        yield found
    finally:
        for runtime in found:
            runtime.close()


def main() -> None:
    import os

    os.environ["TQDM_DISABLE"] = "1"
    import numpy as np
    from sentence_transformers import SentenceTransformer

    task = json.loads(sys.stdin.readline())
    model = SentenceTransformer(task["model"], backend=task["backend"], device="cpu")
    model.max_seq_length = task["length"]
    print("done", flush=True)
    for _ in sys.stdin:
        np.save(task["vectors"], model.encode(task["texts"]))
        print("done", flush=True)


if __name__ == "__main__":
    main()
