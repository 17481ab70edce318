"""Models that begin with a table of vectors of words: sentence-transformers' WordEmbeddings.

The table, and the recurrent and convolutional modules over it, take the place of the transformer.
The modules are the library's own, and so is the tokenizer, which splits texts at white space and
leaves out words that it does not know. It does not say where in a text a word stands, so entities
have no vectors.
"""

from __future__ import annotations

import copy
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from torch import Tensor, nn

from stage2.models.sentence_transformers.modules import PACKAGE, read_json
from stage2.models.sentence_transformers.static import Encoded
from stage2.utils.errors import BadInputError

_CONFIG = "wordembedding_config.json"
_TOKENIZER = "WhitespaceTokenizer"
_TOKENS = "token_embeddings"


class WordStates(nn.Module):
    """A table of words and the library's modules over it, in the place of a transformer.

    Attributes:
        embedding: the table.
        over: the library's modules LSTM and CNN, in order; perhaps none.
        config: the part of a transformer's configuration that is used.
        has_places: whether the places of tokens in a text are known.
    """

    has_places = False

    def __init__(self, words: Any, over: Sequence[Any], root: Path) -> None:
        """Make the backbone of a loaded model.

        Args:
            words: the library's module with the table.
            over: the library's modules right after it.
            root: the folder of the model, for messages.

        Raises:
            BadInputError: the tokenizer has words without a vector, or the vector of a text would
                depend on the texts beside it.
        """
        super().__init__()
        self.embedding: nn.Embedding = words.emb_layer
        _check(words, over, root)
        # The library would leave some tables as they are. Here --freeze says what is not trained.
        self.embedding.weight.requires_grad_(True)
        self.over = nn.ModuleList(over)
        width = (over[-1] if over else words).get_embedding_dimension()
        self.config = SimpleNamespace(
            hidden_size=width, pad_token_id=None, _attn_implementation=None
        )

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table."""
        return self.embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        """Return the states of words as `last_hidden_state`, float (B, T, D)."""
        # The convolution's input must be 0 at padding, because it is 0 beyond the end of a text.
        states = self.embedding(input_ids) * attention_mask.unsqueeze(-1).to(self.embedding.weight)
        features = {_TOKENS: states, "sentence_lengths": attention_mask.sum(dim=1)}
        for module in self.over:
            features = module(features)
        return SimpleNamespace(last_hidden_state=features[_TOKENS])


def _check(words: Any, over: Sequence[Any], root: Path) -> None:
    """Check that each word has a vector, and that no vector depends on padding.

    The library convolves the places of padding. This changes nothing if the states are 0 there:
    behind a recurrent module, or if the vector of padding, row 0 of the table, is 0.
    """
    rows, known = words.emb_layer.num_embeddings, len(words.tokenizer.word2idx)
    if known > rows:
        raise BadInputError(
            f"{root}: its tokenizer has {known:,} words, and its table {rows:,} rows; expected a "
            "row for each word"
        )
    zero = not words.emb_layer.weight[0].any()
    for module in over:
        if type(module).__name__ != "CNN":
            zero = True
            continue
        kernels, strides = module.kernel_sizes, module.stride_sizes
        if any(size % 2 == 0 for size in kernels) or any(stride != 1 for stride in strides):
            raise BadInputError(
                f"{root}: its CNN has kernels of {kernels} with strides of {strides}, which give a "
                "text more or fewer states than words; expected odd kernels with strides of 1"
            )
        if not zero:
            raise BadInputError(
                f"{root}: its CNN reads padding that is not 0, so that the vector of a text "
                "depends on the texts beside it. Expected a row 0 of zeros in the table of "
                "WordEmbeddings, which is the padding, and no CNN right after another"
            )
        zero = False


def check_words(folder: Path) -> None:
    """Check that the tokenizer of a folder of WordEmbeddings is one that can be loaded.

    Raises:
        BadInputError: it is another one.
    """
    path = folder / _CONFIG
    told = read_json(path)
    name = told.get("tokenizer_class") if isinstance(told, dict) else None
    if not (
        isinstance(name, str) and name.startswith(PACKAGE) and name.rsplit(".", 1)[-1] == _TOKENIZER
    ):
        raise BadInputError(
            f"{path}: tokenizer_class is {name!r:.80}; expected sentence-transformers' {_TOKENIZER}"
        )


@dataclass(frozen=True)
class _Encoding:
    """The words of a text. Their places in it are not known, so each has an empty one.

    Attributes:
        ids: the ids of the words that are known.
        dropped: the number of words that are left out because they are not known.
    """

    ids: list[int]
    dropped: int = 0

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return [(0, 0)] * len(self.ids)


class Words:
    """The library's tokenizer of words, used like one of transformers and like its backend.

    Attributes:
        model_max_length: the largest number of words in a text.
        backend_tokenizer: the same object; nothing is set for a call.
        drops_words: a text may have no token, as words that are not known are left out.
    """

    pad_token_id = 0
    unk_token_id = None
    drops_words = True
    all_special_ids: Sequence[int] = ()
    added_tokens_decoder: Mapping[int, Any] = MappingProxyType({})

    def __init__(self, words: Any) -> None:
        self._tokenizer = words.tokenizer
        # The library writes these words in the order of a set, which differs from run to run.
        self._tokenizer.stop_words = dict.fromkeys(sorted(self._tokenizer.stop_words))
        self.model_max_length = int(words.max_seq_length)

    @property
    def backend_tokenizer(self) -> Words:
        """The object itself."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Words:
        """Return a shallow copy, because nothing in it changes."""
        return copy.copy(self)

    def __call__(
        self,
        texts: Sequence[str],
        *,
        max_length: int,
        truncation: bool = True,  # noqa: ARG002  texts are always cut
        verbose: bool = False,  # noqa: ARG002  nothing is said
    ) -> Encoded:
        """Tokenise texts, and cut them at `max_length` words."""
        tokenize = self._tokenizer.tokenize
        return Encoded([_Encoding(tokenize(text)[:max_length]) for text in texts])

    def encode(self, text: str, add_special_tokens: bool = False) -> _Encoding:  # noqa: ARG002
        """Return all known words of a text, and the number of others that are no stop words."""
        ids = self._tokenizer.tokenize(text)
        bare = [word.strip(string.punctuation) for word in text.split()]
        stops = self._tokenizer.stop_words
        # Punctuation alone is no word.
        words = sum(word != "" and not {word, word.lower()} & stops.keys() for word in bare)
        return _Encoding(ids, max(0, words - len(ids)))

    def encode_batch(
        self,
        texts: Sequence[str],
        add_special_tokens: bool = False,  # noqa: ARG002  there are none
    ) -> list[_Encoding]:
        """Return the same for each text."""
        return [self.encode(text) for text in texts]

    def no_truncation(self) -> None:
        """Do nothing, because texts are cut after this."""

    def no_padding(self) -> None:
        """Do nothing, because texts are padded elsewhere."""

    def num_special_tokens_to_add(self) -> int:
        """Return 0, because no special token is put around a text."""
        return 0

    def __len__(self) -> int:
        return len(self._tokenizer.word2idx)

    def get_vocab(self) -> dict[str, int]:
        """Return the id of each word."""
        return dict(self._tokenizer.word2idx)
