"""A gazetteer of 100,000 names over 100 MB of text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benches import inputs
from benches.harness import Bench, Claim, Finding, Peer, expect
from stage2._core import Gazetteer

NAMES = 100_000
TEXTS = 450_000
# The peers would take too long for all texts.
PEER_TEXTS = 9_000
# The key of a node in the trie of dicts where a name ends.
END = ""

Spans = list[list[tuple[int, int]]]
Ints = npt.NDArray[np.int64]
Arrays = tuple[Ints, Ints, Ints]


def measure(bench: Bench) -> Iterator[Finding]:
    count = bench.size(TEXTS)
    some = min(count, PEER_TEXTS)
    texts, names = corpus(count, bench.size(NAMES))
    path = bench.folder / "names.txt"
    path.write_text("\n".join(names), encoding="utf-8")
    gazetteer = Gazetteer.load(path, unicode_form="none")

    def same(found: Arrays, theirs: Spans) -> None:
        expect(spans_of(found, some) == theirs, "spans differ")
        expect(any(theirs), "no name is in a text")

    megabytes = sum(map(len, texts)) // 10**6
    job = f"{len(names):,} names in {megabytes} MB of text"
    spacy, split, trie = (
        f"{name}, {some:,} texts"
        for name in ("spaCy PhraseMatcher", "PhraseMatcher on split words", "trie of dicts")
    )
    part, scale = texts[:some], count / some
    yield from bench.race(
        job,
        lambda: gazetteer.find(texts),
        [
            Peer(spacy, partial(by_spacy(names, split=False), part), same, scale),
            Peer(split, partial(by_spacy(names, split=True), part), same, scale),
            Peer(trie, partial(by_trie(names), part), same, scale),
        ],
        [
            Claim(job, (spacy,), 10),
            Claim(job, (split,), None),
            Claim(job, (trie,), 5),
        ],
    )


def spans_of(found: Arrays, count: int) -> Spans:
    """Return the spans of the first texts as lists, as the peers give them."""
    spans, offsets, _ = found
    bounds = offsets[: count + 1].tolist()
    pairs = list(map(tuple, spans[: bounds[-1]].tolist()))
    return [pairs[start:end] for start, end in itertools.pairwise(bounds)]


def corpus(count: int, names: int) -> tuple[list[str], list[str]]:
    """Make texts of plain words with single spaces, and names of two to four words.

    Half of the names are parts of the texts' source, the other half are words drawn from it.
    """
    clean = str.maketrans("", "", '"\n')
    texts = [text.translate(clean) for text in inputs.texts(count, seed=7)]
    random = np.random.default_rng(0)
    found: dict[str, None] = {}
    source = inputs.texts(4 * names, seed=8)
    while len(found) < names:
        words = next(source).translate(clean).split()
        at, length = int(random.integers(0, 20)), int(random.integers(2, 5))
        chosen = words[at : at + length]
        if len(found) % 2:
            chosen = [words[i] for i in random.permutation(len(words))[:length]]
        found[" ".join(chosen)] = None
    return texts, list(found)


def by_spacy(names: Sequence[str], split: bool) -> Callable[[Sequence[str]], Spans]:
    """Use the PhraseMatcher as in its documentation, with the tokenizer of no language.

    Or the words are split at spaces, which is possible only with texts like these.
    """
    import spacy
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Doc

    pipeline = spacy.blank("xx")
    vocab = pipeline.vocab

    def read(text: str) -> Doc:
        return Doc(vocab, words=text.split(" ")) if split else pipeline.make_doc(text)

    matcher = PhraseMatcher(vocab)
    matcher.add("name", [read(name) for name in names])

    def find(texts: Sequence[str]) -> Spans:
        all_spans = []
        for text in texts:
            doc = read(text)
            spans, at = [], 0
            matches = [(start, -end) for _, start, end in matcher(doc)]
            for start, end in sorted(matches):
                if start >= at:
                    at = -end
                    span = doc[start:at]
                    spans.append((span.start_char, span.end_char))
            all_spans.append(spans)
        return all_spans

    return find


def by_trie(names: Sequence[str]) -> Callable[[Sequence[str]], Spans]:
    """Walk a trie of dicts, a letter at a time from each word, as FlashText does (Singh, 2017)."""
    trie: dict[str, Any] = {}
    for name in names:
        node = trie
        for letter in name:
            node = node.setdefault(letter, {})
        node[END] = None
    words = re.compile(r"\w+").finditer

    def find(texts: Sequence[str]) -> Spans:
        all_spans = []
        for text in texts:
            spans, free_from, size = [], 0, len(text)
            for word in words(text):
                start = at = word.start()
                if start < free_from:
                    continue
                node, end = trie.get(text[at]), 0
                while node is not None:
                    at += 1
                    if END in node and (at == size or not is_word(text[at])):
                        end = at
                    node = node.get(text[at]) if at < size else None
                if end:
                    spans.append((start, end))
                    free_from = end
            all_spans.append(spans)
        return all_spans

    return find


def is_word(letter: str) -> bool:
    """Tell whether a name neither begins nor ends beside a letter and such a one."""
    return letter.isalnum() or letter == "_"
