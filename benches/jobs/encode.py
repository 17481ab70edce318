"""Encoding of texts by all-MiniLM-L6-v2 as it is, against sentence-transformers."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from benches import inputs, xquad
from benches.child import peak_memory
from benches.harness import Bench, Claim, Finding, Limit, Peer, Timing, expect
from benches.inputs import Vectors
from benches.runtimes import Runtime, runtimes
from stage2.encoding.encode import encode
from stage2.encoding.encoder import Encoder
from stage2.models.auto import load_model
from stage2.models.hub import default_backbone
from stage2.utils.device import multiplies

# The limit of the model.
LENGTH = 256
# Two ways to compute a vector may differ by so much in cosine. In bf16 every layer rounds more.
CLOSE = {"fp32": 1e-4, "bf16": 0.03}
MEGABYTE = 1e6


def measure(bench: Bench) -> Iterator[Finding]:
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(bench.threads)
    texts = xquad.load(bench.scale).texts
    model = load_model(default_backbone()).to(bench.device)
    half = multiplies(torch.bfloat16, model.device)
    if bench.device == "cuda":
        for precision in ("fp32", "bf16") if half else ("fp32",):
            yield from compete(bench, model, texts, precision, None, [])
        yield from compiling(bench, model)
        return
    exported: AbstractContextManager[list[Runtime]] = nullcontext([])
    if not bench.quick:
        exported = runtimes(default_backbone(), texts, LENGTH, bench.folder)
    with exported as others:
        yield from compete(bench, model, texts, "fp32", 1.2, [] if half else others)
        if half:
            yield from compete(bench, model, texts, "bf16", 1.2, others)
    if not bench.quick:
        yield flat(bench)


def compete(
    bench: Bench,
    model: Encoder,
    texts: list[str],
    precision: str,
    target: float | None,
    others: list[Runtime],
) -> Iterator[Finding]:
    """Run a race in one precision. `others` take part without a target, each in its best way."""
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(default_backbone(), device=str(model.device))
    expect(theirs.max_seq_length == model.max_length == LENGTH, "the limits differ")
    if precision == "bf16":
        theirs = theirs.to(torch.bfloat16)

    def agrees(ours: Vectors, found: Any) -> None:
        other = torch.as_tensor(found).float().cpu().numpy()
        expect(ours.shape == other.shape, "a vector is missing")
        far = 1 - float((ours * other).sum(axis=1).min())
        expect(far < CLOSE[precision], f"{precision}: vectors are {far:.2g} apart")

    job = f"encode {len(texts):,} texts of XQuAD, {precision}"
    name = f"sentence-transformers, {precision}"
    peers = [Peer(name, lambda: theirs.encode(texts, convert_to_tensor=True).cpu(), agrees)]
    peers += [Peer(other.name, other.encode, agrees) for other in others]
    claims = [Claim(job, (name,), target)]
    claims += [Claim(f"{job}, against {peer.name}", (peer.name,), None) for peer in peers[1:]]
    yield from bench.race(job, lambda: encode(model, texts, precision=precision).mu, peers, claims)


def compiling(bench: Bench, model: Encoder) -> Iterator[Finding]:
    """Encode many texts with and without --compile, and time the compilation."""
    many = list(inputs.texts(bench.size(50_000), seed=0))
    quick = copy.deepcopy(model, {id(model.tokenizer): model.tokenizer})
    quick.compiled = True
    first = Timing("first")
    first.time(lambda: encode(quick, many[:1000]))

    def agrees(ours: Vectors, found: Vectors) -> None:
        far = 1 - float((ours * found).sum(axis=1).min())
        expect(far < CLOSE["bf16"], f"vectors are {far:.2g} apart")

    job = f"encode {len(many):,} texts, auto, --compile"
    plain = Peer("stage2 without it", lambda: encode(model, many).mu, agrees)
    name = f"{job} (compiled in {first.median:.0f} s)"
    yield from bench.race(
        job, lambda: encode(quick, many).mu, [plain], [Claim(name, (plain.name,), None)]
    )


def flat(bench: Bench) -> Finding:
    """Compare the peaks of memory for few texts and for ten times as many, with a tiny model."""
    few, many = bench.size(10_000), bench.size(100_000)
    peaks = {count: peak_memory(encoding(count)) for count in (few, many)}
    own = many * 2 * 64 * 4
    return Limit(
        f"encode {many:,} texts: peak memory beside the vectors, MB",
        f"{few:,} texts: {peaks[few] / MEGABYTE:,.0f} MB",
        (peaks[many] - own) / MEGABYTE,
        1.15 * peaks[few] / MEGABYTE,
    )


def encoding(count: int) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", __name__, str(count)]


def encode_many(count: int) -> None:
    """Embed texts with a small model. The texts are made when they are read."""
    from benches.inputs import texts
    from benches.small import small_model
    from stage2.encoding.encode import encode_windows
    from stage2.encoding.tokens import Texts

    model = small_model()
    pool = list(texts(1000, seed=0))

    def read(rows: Any) -> Texts:
        found = [f"{i} {pool[i % len(pool)]}" for i in rows]
        return Texts(found, [()] * len(rows), ["document"] * len(rows))

    encode_windows(model, count, read, precision="fp32")


if __name__ == "__main__":
    encode_many(int(sys.argv[1]))
