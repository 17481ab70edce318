"""Forked processes, whose parent had already used the core."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import multiprocessing, os, sys, threading
import numpy as np
import stage2
from stage2 import _core

qa, chunks, entities = sys.argv[1:]
rng = np.random.default_rng(0)
vectors = rng.standard_normal((3000, 32), np.float32)

def work():
    data = stage2.Dataset.load(qa, chunks, entities)
    samples = data.construct(3, seed=1)
    scores = np.arange(samples.offsets[-1], dtype=np.float32)
    spans = data.annotations.spans_for(data.chunk_texts)
    return [
        samples.candidates.tolist(),
        _core.topk(vectors[:50], vectors, 5)[0].tolist(),
        _core.rank(scores, samples.offsets).metrics(),
        _core.order(scores, samples.offsets).tolist(),
        spans[0].tolist(),
        _core.sample_negatives(["a"] * 9, 4, 50, spans[1][:0], np.zeros(10, int)).tolist(),
    ]

def in_child(call=work):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if call() == expected else 3)
        finally:
            os._exit(4)
    return child

def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

expected = work()
"""

CASES = {
    "a child": "assert ended(in_child()) == 0",
    "a child of a child": """
        assert ended(in_child(lambda: None if ended(in_child()) else expected)) == 0
    """,
    "the parent goes on": "child = in_child(); assert work() == expected; assert ended(child) == 0",
    "a pool of processes": """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.starmap(work, [()] * 4) == [expected] * 4
    """,
    "while another thread is in the core": """
        going = True
        def busy():
            while going:
                _core.topk(vectors, vectors, 50)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads: thread.start()
        children = [in_child() for _ in range(8)]
        codes = [ended(child) for child in children]
        going = False
        for thread in threads: thread.join()
        assert codes == [0] * 8, codes
    """,
    "from another thread": """
        codes = []
        thread = threading.Thread(target=lambda: codes.append(ended(in_child())))
        thread.start(); thread.join()
        assert codes == [0]
    """,
    "as many threads as the variable says": """
        def call():
            threads = lambda: len(os.listdir("/proc/self/task"))
            before = threads()
            found = work()
            return found if (before, threads()) == (1, 3) else (before, threads())
        assert ended(in_child(call)) == 0
    """,
}


@pytest.mark.skipif(sys.platform != "linux", reason="forks as Linux does")
@pytest.mark.parametrize("case", CASES)
def test_the_core_works_in_a_child(corpus, case: str):
    program = PROGRAM + textwrap.dedent(CASES[case])
    # Python 3.12 and later warn about a fork of a process with threads.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(
        [*command, *map(str, corpus.values())],
        capture_output=True, text=True, timeout=60, check=False,
        env={"RAYON_NUM_THREADS": "2", "OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
