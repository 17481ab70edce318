"""Three families of encoders: folders of sentence-transformers, of its routers, of Hugging Face."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stage2.encoding.encoder import Encoder
from stage2.encoding.tokens import Reader, Role, prompt_length
from stage2.encoding.vectors import Distance, distance_of
from stage2.models import hub
from stage2.models.family import LoadOptions
from stage2.models.fidelity import Read, reader_of
from stage2.models.model_check import check_model
from stage2.models.model_config import CONFIG, LEAST_LENGTH, read_config
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers import modules as listed_modules
from stage2.models.sentence_transformers.model import SentenceEncoder, Shape
from stage2.models.sentence_transformers.router import RouterEncoder, holds_router, read_routes
from stage2.utils import tensors
from stage2.utils.errors import BadInputError
from stage2.utils.files import sha256

logger = logging.getLogger(__name__)

# The pooling of a folder that names none.
DEFAULT_POOLING = "mean"
# These files are for people. The vectors do not depend on them.
_NOT_READ = (".md", ".png")
_ROLES: tuple[Role, ...] = ("query", "document")


class SentenceTransformersFolder:
    """The family of folders with `modules.json`; see `models.family.Family`."""

    def holds(self, path: Path) -> bool:
        """Return whether a folder has `modules.json`."""
        return (path / listed_modules.MODULES).exists()

    def load(self, path: Path, options: LoadOptions) -> Encoder:
        """Read a folder. It names its own pooling, so the option of that name is refused."""
        if options.pooling is not None:
            raise _other_pooling(path, options)
        return _one_or_two(lambda: _encoder(layout.load_folder(path), path, options), options)

    def reader(self, path: Path, options: LoadOptions) -> Reader:
        """Return the whole model, because its limit and prompts are spread over several files."""
        return self.load(path, options)

    def embedding_dim(self, path: Path) -> int:
        """Return the width of a model's vectors, from the files of its modules."""
        return _width(listed_modules.read_modules(path), path)

    def distance(self, path: Path) -> Distance | None:
        """Return the distance by which a folder says that its vectors are compared."""
        return distance_of(layout.similarity_in(path))

    def max_length(self, path: Path) -> int | None:  # noqa: ARG002  `Family` has the argument
        """Return None, because a folder is not a file of weights."""
        return None

    def files(self, path: Path, backbone: str | None) -> dict[str, str]:  # noqa: ARG002
        """Return the hashes of all files that a model is read from."""
        return _hashes(path, self._encoders(path))

    def backbone(self, path: Path, options: LoadOptions) -> Path | None:  # noqa: ARG002
        """Return None, because such a model is used as it is."""
        return None

    def read_back(self, path: Path, options: LoadOptions) -> Read:  # noqa: ARG002
        """Return a function that embeds with sentence-transformers alone."""
        return layout.reader_of(path, layout.similarity_in(path))

    def weights_hash(self, path: Path) -> str:
        """Return a hash of all files of a model, because its modules have weights too."""
        return _hash(self.files(path, None))

    def _encoders(self, path: Path) -> list[Path]:
        """Return the folders of the transformers of a model."""
        return [listed_modules.read_modules(path)[0].folder]


class RouterFolder(SentenceTransformersFolder):
    """The family of folders with a router, which have an encoder for each role."""

    def holds(self, path: Path) -> bool:
        """Return whether the first module of a folder is a router."""
        return (path / listed_modules.MODULES).exists() and holds_router(path)

    def load(self, path: Path, options: LoadOptions) -> Encoder:
        """Read a folder. The option `pooling` may only name the pooling that it has."""
        routes, outline = read_routes(path)
        parts = [
            _encoder(layout.load_modules(path, modules), path, _of_role(options, role))
            for role, modules in routes.items()
        ]
        if options.pooling is not None and any(
            list(one.shape.pooling) != [options.pooling] for one in parts
        ):
            raise _other_pooling(path, options)
        query, document = parts
        return RouterEncoder(query, document, outline)

    def embedding_dim(self, path: Path) -> int:
        """Return the width of the vectors of documents, which is also that of queries."""
        return _width(read_routes(path)[0]["document"], path)

    def _encoders(self, path: Path) -> list[Path]:
        return [modules[0].folder for modules in read_routes(path)[0].values()]


class HuggingFaceFolder(SentenceTransformersFolder):
    """The family of folders with `config.json`, weights and a tokenizer, but without a pooling."""

    def holds(self, path: Path) -> bool:
        """Return whether a folder has `config.json`. `auto` tries stage2's own folders first."""
        return (path / CONFIG).exists()

    def load(self, path: Path, options: LoadOptions) -> Encoder:
        """Read a folder, with the pooling of the options or else the mean."""
        pooling = options.pooling or DEFAULT_POOLING
        if options.pooling is None:
            logger.info(
                "%s: names no pooling; its tokens are pooled by their mean (another: --pooling)",
                path,
            )
        return _one_or_two(
            lambda: _encoder(layout.load_plain(path, pooling), path, options), options
        )

    def read_back(self, path: Path, options: LoadOptions) -> Read:
        """Return a function that embeds with the model, read again; the folder has no pooling."""
        return reader_of(self.load(path, options))

    def distance(self, path: Path) -> Distance | None:  # noqa: ARG002  `Family` has the argument
        """Return None, because the folder of an encoder says nothing of how it is compared."""
        return None

    def embedding_dim(self, path: Path) -> int:
        """Return the width of the encoder."""
        return int(read_config(path / CONFIG)["hidden_size"])

    def _encoders(self, path: Path) -> list[Path]:
        return [path]


def _one_or_two(read: Callable[[], SentenceEncoder], options: LoadOptions) -> Encoder:
    """Read a model once, or once for each role if only the encoder of queries is to be trained."""
    if options.train == "both":
        return read()
    return RouterEncoder(read(), read())


def _of_role(options: LoadOptions, role: Role) -> LoadOptions:
    """Return the options for the encoder of one role, which may be unlike that of the other."""
    return replace(
        options,
        prompts={key: prompt for key, prompt in options.prompts.items() if key == role},
        max_lengths={key: limit for key, limit in options.max_lengths.items() if key == role},
    )


def _other_pooling(path: Path, options: LoadOptions) -> BadInputError:
    return BadInputError(
        f"--pooling {options.pooling}: {path / listed_modules.MODULES} names the model's own "
        "pooling; leave --pooling out"
    )


def _encoder(source: layout.Source, path: Path, options: LoadOptions) -> SentenceEncoder:
    """Make an encoder of a loaded model and the options of a call, and check it."""
    library = source.library
    prompts = layout.prompts_in(library.prompts, library.default_prompt_name)
    prompts |= options.prompts
    shape = Shape(
        pooling=source.pooling,
        pools_prompt=source.pools_prompt,
        similarity=library.similarity_fn_name,
        embedding_dim=library.get_embedding_dimension(),
    )
    longest = hub.longest_input(source.backbone, source.tokenizer)
    own = int(min(library.max_seq_length or longest, longest))
    model = SentenceEncoder(source, shape, prompts, _limits(own, longest, source, options)).eval()
    model.saved_dtype = options.saved_dtype or source.dtype
    check_model(model, path)
    for role, prompt in prompts.items():
        room = model.max_lengths[role] - prompt_length(model, prompt)
        if room < LEAST_LENGTH:
            raise BadInputError(
                f"{path}: the {role} prompt {prompt!r:.60} takes {prompt_length(model, prompt)} "
                f"tokens of at most {model.max_lengths[role]}; expected room for {LEAST_LENGTH} "
                f"tokens of the text. Give a shorter --{role}-prompt or a greater "
                f"--{role}-max-length"
            )
    return model


def _limits(own: int, longest: int, source: layout.Source, options: LoadOptions) -> dict[Role, int]:
    """Return the limit of tokens for each role: that of the options, or else the model's own."""
    limits: dict[Role, int] = {}
    for role in _ROLES:
        asked = options.max_lengths.get(role)
        if asked is not None and not LEAST_LENGTH <= asked <= longest:
            raise BadInputError(
                f"--{role}-max-length is {asked}; expected {LEAST_LENGTH} to {longest}, which is "
                "all that this encoder takes"
            )
        if asked is not None and not source.takes_limits:
            raise BadInputError(
                f"--{role}-max-length {asked}: the tokenizer of this model cuts its texts; leave "
                f"--{role}-max-length out"
            )
        of_role = getattr(source.first, f"{role}_length", None)
        limits[role] = asked or min(of_role or own, longest)
    return limits


def _width(modules: Sequence[listed_modules.Module], path: Path) -> int:
    """Return the width of a model's vectors from the files of its modules."""
    told = layout.read_library_config(path)
    if told.get("truncate_dim"):
        return int(told["truncate_dim"])
    for module in reversed(modules):
        if module.kind == "Dense":
            return int(read_config(module.folder / CONFIG)["out_features"])
        if module.kind == "Pooling":
            return _pooling_width(read_config(module.folder / CONFIG))
        if module.kind == listed_modules.STATIC:
            shapes = tensors.shapes_of(tensors.weight_files(module.folder))
            return next(shape[1] for shape in shapes.values() if len(shape) == 2)
    raise BadInputError(f"{path / listed_modules.MODULES}: has no pooling")


def _pooling_width(told: Mapping[str, Any]) -> int:
    """Return the width of pooled vectors from the configuration of a pooling, in either form."""
    width = int(told.get("embedding_dimension") or told["word_embedding_dimension"])
    mode = told.get("pooling_mode")
    if mode is not None:
        return width if isinstance(mode, str) else width * len(mode)
    return width * max(1, sum(bool(on) for key, on in told.items() if key.startswith("pooling_")))


def _hashes(folder: Path, encoders: Sequence[Path]) -> dict[str, str]:
    """Return the hashes of the files in a folder, by their paths in it.

    Hidden files, files for people and weights in formats that are not read are left out.
    """
    kept = {path.name for encoder in encoders for path in tensors.weight_files(encoder)}
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        other = path.suffix in (".bin", ".onnx", ".xml", ".h5", ".ot") and path.name not in kept
        if path.is_file() and not hidden and not other and path.suffix not in _NOT_READ:
            found[inside.as_posix()] = sha256(path)
    return found


def _hash(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(hashes), sort_keys=True).encode()).hexdigest()
