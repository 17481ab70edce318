"""A reranker that is a language model, asked by its chat template whether a text answers.

sentence-transformers loads it as a `CrossEncoder` of two modules, the model and a `LogitScore`: the
score of a pair is the logit of one token ("yes") less that of another ("no") after the template.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stage2.encoding.batches import autocast
from stage2.encoding.tokens import BATCH_TOKENS, TOKENIZING, batches_by_tokens
from stage2.models import hub
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers.modules import (
    MODULES,
    PACKAGE,
    TRANSFORMER,
    inside,
    read_rows,
)
from stage2.utils import tensors
from stage2.utils.arrays import Floats, Ints
from stage2.utils.device import resolve_precision
from stage2.utils.errors import BadInputError
from stage2.utils.progress import Progress

LOGIT_SCORE = "LogitScore"
# sentence-transformers has this name for the work of a language model. It compares these answers
# where a folder names none; the first is given to a text that answers.
_TASK = "text-generation"
_ANSWERS = ("yes", "no")
# So many pairs are sorted by length at a time. A language model needs seconds for them, not
# milliseconds, and progress is told after each.
_WINDOW = 512


@dataclass(frozen=True)
class ChatReranker:
    """A language model as sentence-transformers' `CrossEncoder`, with the template it brings."""

    library: Any

    @classmethod
    def load(cls, name: str, device: torch.device, what: str) -> ChatReranker:
        """Load a reranker whose folder lists a transformer and a `LogitScore`, or lists nothing.

        One that lists nothing is asked for "yes" and "no", as sentence-transformers does. No code
        of the model's own is run; its template is, in the sandbox of transformers.

        Args:
            name: a folder or a hub id.
            device: the device on which the model will run.
            what: the word for the model in messages.

        Raises:
            BadInputError: it cannot be loaded, or has no template that asks about a pair.
        """
        root = hub.folder_of(name, what)
        folder, scoring = _parts(root, what)
        hub.check_folder(folder, what)
        # The library would read them too, but would say less well what is wrong.
        hub.load_config(folder, what, tensors.shapes_of(tensors.weight_files(folder)))
        tokenizer = hub.load_tokenizer(folder, what)
        if scoring is None and not tokenizer.chat_template:
            raise BadInputError(
                f"{what} {root}: a language model without a chat template, so that there is "
                "nothing to ask it by; expected a sequence classifier with one output, an "
                "embedding model, or a reranker with its template"
            )
        with hub.told_in_a_line(root, what, "it"), hub.quiet_transformers():
            found = cls(_library(root, scoring, device, what))
        if found.library[0].transformer_task != _TASK:
            raise BadInputError(
                f"{what} {root}: its task is {found.library[0].transformer_task}; of rerankers "
                f"that ask a language model stage2 runs those of texts alone ({_TASK})"
            )
        found.library.eval().to(device)
        return found

    @property
    def model(self) -> Any:
        """The language model."""
        return self.library[0].model

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self.library.tokenizer

    def score(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        precision: str = "auto",
        progress: Progress | None = None,
    ) -> Floats:
        """Score pairs of a question and a context.

        A score is the difference of two logits, without a sigmoid. If a pair has too many tokens,
        sentence-transformers cuts it and keeps what the template ends with.

        Args:
            questions: m texts.
            contexts: m texts.
            precision: `auto`, `fp32` or `bf16`.
            progress: called with the number of pairs done and of all pairs.

        Returns:
            float32 (m,).
        """
        out = np.empty(len(questions), np.float32)
        device = self.model.device
        dtype = resolve_precision(precision, device)
        for start in range(0, len(questions), _WINDOW):
            part = slice(start, start + _WINDOW)
            pairs = list(zip(questions[part], contexts[part], strict=True))
            found = out[start : start + len(pairs)]
            with TOKENIZING, hub.quiet_transformers(), autocast(device, dtype):
                for rows in batches_by_tokens(self._lengths(pairs), BATCH_TOKENS[device.type]):
                    found[rows] = self.library.predict(
                        [pairs[row] for row in rows.tolist()], batch_size=len(rows),
                        activation_fn=torch.nn.Identity(), show_progress_bar=False,
                    )  # fmt: skip
            if progress is not None:
                progress(start + len(pairs), len(questions))
        return out

    def _lengths(self, pairs: Sequence[tuple[str, str]]) -> Ints:
        """Return about how many tokens each pair has, with those of the template: int64 (m,)."""
        texts = [f"{question} {context}" for question, context in pairs]
        ids = self.tokenizer(texts, add_special_tokens=False, truncation=False)["input_ids"]
        template = int(self.library.preprocess([("a", "a")])["input_ids"].shape[1])
        lengths = np.fromiter(map(len, ids), np.int64) + template
        most = self.library.max_seq_length
        return lengths if most is None else np.minimum(lengths, most)


def _parts(root: Path, what: str) -> tuple[Path, Path | None]:
    """Return the folders of the language model and of its `LogitScore`; None if none is listed.

    Raises:
        BadInputError: `modules.json` is damaged, or lists other modules than these two.
    """
    path = root / MODULES
    if not path.is_file():
        return root, None
    rows = read_rows(path)
    listed = [row["type"] for row in rows]
    wanted = [TRANSFORMER, LOGIT_SCORE]
    if not all(name.startswith(PACKAGE) for name in listed) or (
        [name.rpartition(".")[2] for name in listed] != wanted
    ):
        raise BadInputError(
            f"{what} {path}: its modules are {', '.join(listed)}; of rerankers that ask a language "
            f"model stage2 runs those of sentence-transformers' {' and '.join(wanted)} alone, and "
            "no code of a model's own"
        )
    folder, scoring = (
        inside(root, path, str(number), row.get("path", "")) for number, row in enumerate(rows)
    )
    return folder, scoring


def _library(root: Path, scoring: Path | None, device: torch.device, what: str) -> Any:
    """Load the model of sentence-transformers, whose weights are checked as all are."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import LogitScore

    folder, _ = _parts(root, what)
    kind = layout.checked_transformer(lambda found: hub.load_language_model(found, what))
    if scoring is None:
        # Without these, transformers would ask the user whether it may run a model's own code.
        safe = {"trust_remote_code": False, "local_files_only": True}
        transformer = kind(
            os.fspath(folder), transformer_task=_TASK, model_kwargs=dict(safe),
            processor_kwargs=dict(safe), config_kwargs=dict(safe),
        )  # fmt: skip
        ids = transformer.tokenizer.convert_tokens_to_ids(list(_ANSWERS))
        known = transformer.tokenizer.get_vocab()
        if not all(word in known for word in _ANSWERS):
            raise BadInputError(
                f"{what} {root}: its tokenizer has no token for {' or '.join(_ANSWERS)}, by which "
                "a language model without modules.json is scored; expected a reranker that "
                f"sentence-transformers has saved, with a {LOGIT_SCORE}"
            )
        return CrossEncoder(modules=[transformer, LogitScore(*ids)], device=device.type)
    place = folder.relative_to(root.resolve()).as_posix()
    transformer = kind.load(
        os.fspath(root), subfolder="" if place == "." else place, local_files_only=True
    )
    score = LogitScore.load(
        os.fspath(root), subfolder=os.fspath(scoring.relative_to(root.resolve())),
        local_files_only=True,
    )  # fmt: skip
    told = layout.read_library_config(root)
    prompts = {name: told[name] for name in ("prompts", "default_prompt_name") if name in told}
    return CrossEncoder(modules=[transformer, score], device=device.type, **prompts)
