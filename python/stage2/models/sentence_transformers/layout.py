"""The reading and writing of folders of sentence-transformers and of Hugging Face encoders.

A model is written in the layout in which it was read. The formats belong to sentence-transformers,
so its own loader and saver are used. Each folder is checked first, so that its own code is never
run, and no weight is missing or initialised at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stage2.encoding.tokens import TOKENIZING, Role
from stage2.encoding.vectors import Similarity
from stage2.models import hub
from stage2.models.sentence_transformers.layers import LayerMean
from stage2.models.sentence_transformers.modules import (
    LAYERS,
    OVER_WORDS,
    POOLING,
    STATIC,
    TRANSFORMER,
    WEIGHTS,
    WORDS,
    Module,
    read_json,
    read_modules,
)
from stage2.models.sentence_transformers.static import PlainTokenizer, TokenTable
from stage2.models.sentence_transformers.words import Words, WordStates, check_words
from stage2.utils import tensors
from stage2.utils.arrays import Floats
from stage2.utils.errors import BadInputError
from stage2.utils.files import check_regular, replaced_folder
from stage2.variants import SIMILARITIES

LIBRARY_CONFIG = "config_sentence_transformers.json"
WHAT = "model"

# The names that models use for the prompt of a role. The first prompt that is not empty counts.
_PROMPT_NAMES: Mapping[Role, Sequence[str]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}


@dataclass
class Source:
    """A model that sentence-transformers, called the library here, has loaded.

    Attributes:
        library: the model of sentence-transformers, which shares its modules with the encoder.
        plain: whether it was read as a Hugging Face encoder, and is written as one.
        dtype: the dtype in which its weights were read.
        backbone: what gives the states of tokens: a model of transformers, or what is called alike.
        tokenizer: its tokenizer, a fast one of transformers or what is called alike.
        pooling: the names of its poolings, in `pooling.POOLINGS`.
        pools_prompt: whether the tokens of a prompt are pooled.
        takes_limits: whether the largest number of tokens in a text can be set and written.
        before: the modules between the backbone and the pooling.
        after: the modules after the pooling.
        word_weights: float (V, 1), the weights of the tokens in the vocabulary, or None. They are
            not trained.
    """

    library: Any
    plain: bool
    dtype: torch.dtype
    backbone: Any
    tokenizer: Any
    pooling: Sequence[str] = ("mean",)
    pools_prompt: bool = True
    takes_limits: bool = True
    before: Sequence[nn.Module] = ()
    after: Sequence[nn.Module] = ()
    word_weights: Tensor | None = None

    @property
    def first(self) -> Any:
        """The first module of the library's model, which reads texts."""
        return self.library[0]


def load_folder(root: Path) -> Source:
    """Load a folder of sentence-transformers in float32; see `load_modules`."""
    return load_modules(root, read_modules(root))


def load_modules(root: Path, modules: Sequence[Module]) -> Source:
    """Load modules in a folder of sentence-transformers in float32.

    Raises:
        BadInputError: one lacks weights, or has weights of another shape.
    """
    folder = modules[0].folder
    if modules[0].kind in (STATIC, WORDS):
        return _table(root, modules)
    hub.check_folder(folder, WHAT)
    # The library loads the tokenizer again. This call refuses code of the model's own, and its
    # messages say what is wrong.
    hub.load_tokenizer(folder, WHAT)
    library = _library(root, modules)
    place = [module.kind for module in modules].index(POOLING)
    first, *before = list(library)[:place]
    backbone = first.model
    # Without the states of all layers the library leaves the last ones as they are.
    if modules[1].kind == LAYERS and backbone.config.output_hidden_states:
        backbone = LayerMean(backbone, before.pop(0))
    weights = _word_weights(modules, before, len(first.tokenizer), root)
    return Source(
        library,
        plain=False,
        dtype=tensors.dtype_of(tensors.weight_files(folder)),
        backbone=backbone,
        tokenizer=first.tokenizer,
        before=before,
        after=list(library)[place + 1 :],
        word_weights=weights,
        **_pooled(library[place]),
    )


def _table(root: Path, modules: Sequence[Module]) -> Source:
    """Load a model that begins with a table of vectors, whose texts are cut by its tokenizer."""
    folder = modules[0].folder
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            check_regular(path)
    dtype = tensors.dtype_of(tensors.weight_files(folder))
    if modules[0].kind == WORDS:
        return _words(root, modules, dtype)
    first, *after = library = _library(root, modules)
    return Source(
        library,
        plain=False,
        dtype=dtype,
        backbone=TokenTable(first.embedding),
        tokenizer=PlainTokenizer(first.tokenizer),
        takes_limits=False,
        after=after,
    )


def _words(root: Path, modules: Sequence[Module], dtype: torch.dtype) -> Source:
    """Load a model of words, with the modules over them as its backbone."""
    check_words(modules[0].folder)
    library = _library(root, modules)
    kinds = [module.kind for module in modules]
    place = kinds.index(POOLING)
    pooled = _pooled(library[place])
    if "cls" in pooled["pooling"]:
        raise BadInputError(
            f"{root}: pools the first token of {WORDS}, which has none, so that the library itself "
            "cannot embed a text; expected another pooling"
        )
    first, *before = list(library)[:place]
    over = sum(kind in OVER_WORDS for kind in kinds)
    weights = _word_weights(modules, before, len(first.tokenizer.word2idx), root)
    return Source(
        library,
        plain=False,
        dtype=dtype,
        backbone=WordStates(first, before[:over], root),
        tokenizer=Words(first),
        takes_limits=False,
        before=before[over:],
        after=list(library)[place + 1 :],
        word_weights=weights,
        **pooled,
    )


def _word_weights(
    modules: Sequence[Module], before: list[Any], tokens: int, root: Path
) -> Tensor | None:
    """Take the module with weights of words from those before the pooling, and return these."""
    if all(module.kind != WEIGHTS for module in modules):
        return None
    found = before.pop()
    if (known := found.emb_layer.num_embeddings) < tokens:
        raise BadInputError(
            f"{root}: its {WEIGHTS} has weights of {known:,} words, and its tokenizer {tokens:,}; "
            "expected a weight of each"
        )
    # The library writes them as trained, but reads those that the configuration names.
    found.requires_grad_(False)
    weights: Tensor = found.emb_layer.weight
    return weights


def _pooled(pooling: Any) -> dict[str, Any]:
    """Return what a `Source` says of the library's pooling."""
    names = pooling.pooling_mode
    return {
        "pooling": (names,) if isinstance(names, str) else tuple(names),
        "pools_prompt": bool(pooling.include_prompt),
    }


def load_plain(root: Path, pooling: str) -> Source:
    """Load a Hugging Face encoder in float32, and add the pooling that its folder does not name."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    hub.check_folder(root, WHAT)
    hub.load_tokenizer(root, WHAT)
    with hub.told_in_a_line(root, WHAT, "it"), hub.quiet_transformers():
        transformer = _encoder().load(os.fspath(root), local_files_only=True)
        _give_back_class(transformer)
        width = transformer.get_embedding_dimension()
        library = SentenceTransformer(modules=[transformer, Pooling(width, pooling)], device="cpu")
    return Source(
        library,
        plain=True,
        dtype=tensors.dtype_of(tensors.weight_files(root)),
        backbone=transformer.model,
        tokenizer=transformer.tokenizer,
        pooling=(pooling,),
    )


def save(
    source: Source,
    folder: str | os.PathLike[str],
    prompts: Mapping[Role, str],
    max_lengths: Mapping[Role, int],
    dtype: torch.dtype,
) -> None:
    """Write a folder in the layout in which the model was read, replacing any earlier folder.

    Args:
        source: the model.
        folder: the folder that is written.
        prompts: as in `settle`.
        max_lengths: as in `settle`.
        dtype: the dtype in which the weights are written.
    """
    settle(source, prompts, max_lengths)
    with writing([(source, dtype)], folder) as temporary:
        if source.plain:
            source.backbone.save_pretrained(temporary)
            source.tokenizer.save_pretrained(temporary)
        else:
            source.library.save(os.fspath(temporary), create_model_card=False)


def settle(source: Source, prompts: Mapping[Role, str], max_lengths: Mapping[Role, int]) -> None:
    """Give the library's model the prompts and limits of an encoder, with which it is written.

    Args:
        source: the model.
        prompts: the prompt of each role. A prompt that was changed gets the name `query` or
            `document`.
        max_lengths: the largest number of tokens in a text of each role.
    """
    library = source.library
    known = prompts_in(library.prompts, library.default_prompt_name)
    for role, prompt in prompts.items():
        if known.get(role, "") != prompt:
            library.prompts[role] = prompt
    if not source.takes_limits:
        return
    longest = max(max_lengths.values())
    if longest != library.max_seq_length:
        library.max_seq_length = longest
    for role in ("query", "document"):
        if max_lengths[role] != longest:
            setattr(source.first, f"{role}_length", max_lengths[role])


@contextmanager
def writing(
    sources: Sequence[tuple[Source, torch.dtype]], folder: str | os.PathLike[str]
) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` at the end, for models to be written to.

    Inside the context the weights of each model have the dtype in which they are written.
    """
    with (
        replaced_folder(folder) as temporary,
        TOKENIZING,
        hub.quiet_transformers(),
        ExitStack() as casts,
    ):
        for source, dtype in sources:
            # A tokenizer remembers where it last cut a text, and would be saved with that limit.
            source.tokenizer.backend_tokenizer.no_truncation()
            source.tokenizer.backend_tokenizer.no_padding()
            casts.enter_context(_in_dtype(source, dtype))
        yield temporary


def similarity_in(root: Path) -> Similarity:
    """Return the similarity by which a folder says that its vectors are compared."""
    found: Similarity = read_library_config(root).get("similarity_fn_name", "cosine")
    return found


def reader_of(folder: Path, similarity: Similarity) -> Callable[[Sequence[str], Role], Floats]:
    """Return a function that embeds texts of a role with a saved model, by the library alone."""
    from sentence_transformers import SentenceTransformer

    with hub.told_in_a_line(folder, WHAT, "what was written"), hub.quiet_transformers():
        library = SentenceTransformer(
            os.fspath(folder), device="cpu", local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        ).float()  # fmt: skip
    named = {name: prompt or "" for name, prompt in library.prompts.items()}
    prompts = prompts_in(named, library.default_prompt_name)

    def embed(texts: Sequence[str], role: Role) -> Floats:
        found: Floats = library.encode(
            list(texts),
            prompt=prompts.get(role, ""),
            task=role,
            normalize_embeddings=similarity == "cosine",
            show_progress_bar=False,
        )
        return found

    return embed


def prompts_in(named: Mapping[str, str], default: str | None) -> dict[Role, str]:
    """Return the prompt of each role that has one.

    Args:
        named: the prompts by the names that the model gives them.
        default: the name of the prompt for a role without one of its own, or None.
    """
    found: dict[Role, str] = {}
    for role, names in _PROMPT_NAMES.items():
        told = [named[name] for name in (*names, default) if name is not None and named.get(name)]
        if told:
            found[role] = told[0]
    return found


def _library(root: Path, modules: Sequence[Module]) -> Any:
    """Load the library's model with these modules, and check that no weight is missing."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as library

    told = read_library_config(root)
    parts = []
    with hub.told_in_a_line(root, WHAT, "it"), hub.quiet_transformers():
        for module in modules:
            kind = _encoder() if module.kind == TRANSFORMER else getattr(library, module.kind)
            inside = os.fspath(module.folder.relative_to(root.resolve()))
            part = kind.load(
                os.fspath(root), subfolder="" if inside == "." else inside, local_files_only=True
            ).float()
            tensors.check_finite(part.state_dict(), module.folder)
            parts.append(part)
        if modules[0].kind == TRANSFORMER:
            _give_back_class(parts[0])
        return SentenceTransformer(modules=parts, device="cpu", **told)


def read_library_config(root: Path) -> dict[str, Any]:
    """Read the prompts, similarity and width of a folder, as arguments of the library's model."""
    path = root / LIBRARY_CONFIG
    if not path.exists():
        return {}
    told = read_json(path)
    if not isinstance(told, dict):
        raise BadInputError(f"{path}: expected an object with prompts and similarity_fn_name")
    prompts = told.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        isinstance(prompt, str | None) for prompt in prompts.values()
    ):
        raise BadInputError(f"{path}: prompts is {prompts!r:.80}; expected texts by their names")
    default = told.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise BadInputError(
            f"{path}: default_prompt_name is {default!r:.80}, a prompt that is not in the model; "
            f"expected one of {', '.join(prompts) or 'none, for it has no prompts'}"
        )
    similarity = told.get("similarity_fn_name") or "cosine"
    dimension = told.get("truncate_dim")
    if similarity not in SIMILARITIES:
        raise BadInputError(
            f"{path}: similarity_fn_name is {similarity!r:.40}; expected one of "
            f"{', '.join(SIMILARITIES)}"
        )
    if dimension is not None and not (type(dimension) is int and dimension > 0):
        raise BadInputError(f"{path}: truncate_dim is {dimension!r:.40}; expected a number above 0")
    return {
        "prompts": {name: prompt or "" for name, prompt in prompts.items()},
        "default_prompt_name": default,
        "similarity_fn_name": similarity,
        "truncate_dim": dimension,
    }


def _encoder() -> Any:
    """Return the library's class `Transformer` for encoders."""
    return checked_transformer(lambda folder: hub.load_encoder(folder, WHAT))


def checked_transformer(load: Callable[[Path], Any]) -> Any:
    """Return the library's class `Transformer`, but with a backbone that `load` reads and checks.

    The library itself would initialise missing weights at random, and would only warn.
    """
    from sentence_transformers.sentence_transformer.modules import Transformer

    class CheckedTransformer(Transformer):
        def _load_model(self, model_name_or_path: str, *_: Any, **more: Any) -> Any:
            found = load(Path(model_name_or_path) / more.get("subfolder", ""))
            if hasattr(found.config, "use_cache"):
                # A decoder would keep keys and values to generate text, which it never does here.
                found.config.use_cache = False
            return found

    return CheckedTransformer


def _give_back_class(transformer: Any) -> None:
    """Restore the library's own class, so that a saved model can be read without stage2."""
    transformer.__class__ = type(transformer).__mro__[1]


@contextmanager
def _in_dtype(source: Source, dtype: torch.dtype) -> Iterator[None]:
    """Cast the weights of the modules to `dtype` inside the context, and restore them after it.

    The casts are new tensors, so the trained weights stay in float32 to the last bit.
    """
    if dtype == torch.float32:
        yield
        return
    kept = [(p, p.data) for p in source.library.parameters()]
    try:
        for parameter, data in kept:
            parameter.data = data.to(dtype)
        yield
    finally:
        for parameter, data in kept:
            parameter.data = data
