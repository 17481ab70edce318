"""Models with an encoder of their own for queries and another one for documents.

sentence-transformers calls such a model a router: a text goes to the modules of its role. Training
changes the encoder of queries alone, so the vectors of documents stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from stage2.encoding.encoder import Encoder, Pooled
from stage2.encoding.tokens import Batch, Role
from stage2.models.sentence_transformers import layout
from stage2.models.sentence_transformers import modules as listed_modules
from stage2.models.sentence_transformers.model import SentenceEncoder
from stage2.utils.errors import BadInputError
from stage2.utils.model_lock import ModelLock

CONFIG = "router_config.json"
_ROUTER = "Router"
_ROLES: tuple[Role, ...] = ("query", "document")
# The modules that may come after the router. Both roles share them, so they may have no weights.
_SHARED = ("Normalize",)


@dataclass(frozen=True)
class Outline:
    """The facts in the folder of a router beside the modules of each role.

    Attributes:
        shared: how many of the last modules of each role are written once for both.
        default_route: the route of a text whose role the library is not told.
    """

    shared: int = 0
    default_route: str | None = "document"


class RouterEncoder(Encoder):
    """An encoder of queries and an encoder of documents, whose vectors are compared."""

    def __init__(
        self, query: SentenceEncoder, document: SentenceEncoder, outline: Outline | None = None
    ) -> None:
        """Make a model of two encoders.

        Args:
            query: the encoder of queries.
            document: the encoder of documents.
            outline: what else its folder says; None for a model that is made here.

        Raises:
            BadInputError: their vectors cannot be compared.
        """
        super().__init__()
        if query.embedding_dim != document.embedding_dim:
            raise BadInputError(
                f"the encoder of queries gives vectors of width {query.embedding_dim} and that of "
                f"documents of {document.embedding_dim}; expected one width, so that they can be "
                "compared"
            )
        self.query = query
        self.document = document
        self.outline = outline or Outline()
        self.tokenizer = query.tokenizer
        self.embedding_dim = query.embedding_dim
        self.similarity = query.similarity
        self.pools_prompt = query.pools_prompt
        self.saved_dtype = query.saved_dtype
        self.prompts = {role: one.prompts[role] for role, one in self.parts.items()
                        if role in one.prompts}  # fmt: skip
        self.max_lengths = {role: one.max_lengths[role] for role, one in self.parts.items()}
        self.max_length = max(self.max_lengths.values())
        self.compiled = False
        self.guard = ModelLock()

    @property
    def parts(self) -> Mapping[Role, SentenceEncoder]:
        """The encoder of each role."""
        return MappingProxyType({"query": self.query, "document": self.document})

    @property
    def backbone(self) -> Any:
        """The backbone of the encoder of queries, the one that is trained."""
        return self.query.backbone

    @property
    def why_no_entities(self) -> str | None:
        """See `Encoder`. Entities must have vectors on both sides."""
        found = (one.why_no_entities for one in self.parts.values())
        return next((why for why in found if why is not None), None)

    def forward(self, batch: Batch) -> Pooled:  # noqa: D102  see `Encoder.forward`
        sides = [(self.query, batch.is_query), (self.document, ~batch.is_query)]
        rows = [texts.nonzero().squeeze(1) for _, texts in sides]
        entities = [texts[batch.entity_row].nonzero().squeeze(1) for _, texts in sides]
        found = [
            one(_padded(batch.take(taken, inside), one))
            for (one, _), taken, inside in zip(sides, rows, entities, strict=True)
            if len(taken)
        ]
        text, entity = torch.cat(rows).argsort(), torch.cat(entities).argsort()
        joined: dict[str, Any] = {
            field.name: torch.cat([getattr(part, field.name) for part in found])
            for field in fields(Pooled)
            if field.name != "distance"
        }
        return Pooled(
            **{
                name: values[entity if name.startswith("entity_") else text]
                for name, values in joined.items()
            },
            distance=self.distance,
        )

    def hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Compute the last hidden states of queries; see `Encoder.hidden`."""
        return self.query.hidden(input_ids, attention_mask)

    @property
    def first_padded_position(self) -> int | None:
        """See `Encoder.first_padded_position`. Both encoders are tried, and know it afterwards."""
        found = [one.first_padded_position for one in self.parts.values()]
        return found[0]

    @property
    def first_position(self) -> int | None:
        """See `Encoder.first_position`; only queries are embedded in training."""
        return self.query.first_position

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.query.device

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder with a router of sentence-transformers, whole or not at all."""
        sources = []
        for one in self.parts.values():
            if one.source is None:
                raise RuntimeError("an encoder that was sent to another process cannot be written")
            layout.settle(one.source, self.prompts, one.max_lengths)
            sources.append((one.source, one.saved_dtype))
        library = _library([source for source, _ in sources], self.outline)
        # The library's `encode_document` takes an empty `document` before another prompt.
        library.prompts |= self.prompts
        with layout.writing(sources, folder) as temporary:
            library.save(os.fspath(temporary), create_model_card=False)

    # Users of the library know this name.
    save_pretrained = save

    def bare(self) -> Encoder:
        """Return the same weights and layers without tokenizers and sources."""
        found = super().bare()
        vars(found)["_modules"] = {role: one.bare() for role, one in self.parts.items()}
        return found


def _padded(batch: Batch, model: Encoder) -> Batch:
    """Return a batch with the padding token of an encoder, whose vocabulary may be another one."""
    pad = model.tokenizer.pad_token_id or 0
    return replace(batch, input_ids=batch.input_ids.where(batch.attention_mask > 0, pad))


def _library(sources: Sequence[layout.Source], outline: Outline) -> Any:
    """Make the library's model of those of queries and of documents. It shares their modules."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    told = sources[0].library
    query, document = (list(source.library) for source in sources)
    end = len(query) - outline.shared
    router = Router.for_query_document(
        query[:end], document[: len(document) - outline.shared], outline.default_route
    )
    return SentenceTransformer(
        modules=[router, *query[end:]],
        prompts=dict(told.prompts),
        default_prompt_name=told.default_prompt_name,
        similarity_fn_name=told.similarity_fn_name,
        truncate_dim=told.truncate_dim,
        device=str(next(told.parameters()).device),
    )


def holds_router(root: Path) -> bool:
    """Return whether the first module of a folder is the library's router."""
    try:
        rows = listed_modules.read_rows(root / listed_modules.MODULES)
    except (BadInputError, OSError):
        return False  # whoever reads the folder then says what is wrong with it
    name = rows[0]["type"] if rows else ""
    return name.startswith(listed_modules.PACKAGE) and name.rsplit(".", 1)[-1] == _ROUTER


def read_routes(root: Path) -> tuple[dict[Role, list[listed_modules.Module]], Outline]:
    """Return the modules of each role in a folder with a router, and what else it says.

    Raises:
        BadInputError: the files are damaged, name code of the model's own, or have other routes
            than `query` and `document`.
    """
    listed = root / listed_modules.MODULES
    first, *others = listed_modules.read_rows(listed)
    path = listed_modules.inside(root, listed, "0", first.get("path", "")) / CONFIG
    shared = [
        listed_modules.module_of(root, listed, str(number), row["type"], row.get("path", ""))
        for number, row in enumerate(others, 1)
    ]
    if unknown := [module.kind for module in shared if module.kind not in _SHARED]:
        raise BadInputError(
            f"{listed}: {unknown[0]} comes after the router and has weights that both sides share; "
            f"expected {' or '.join(_SHARED)} there, for only the side of queries is trained"
        )
    types, structure, default = _read_config(path)
    base = path.parent.relative_to(root.resolve())
    routes: dict[Role, list[listed_modules.Module]] = {}
    for role in _ROLES:
        own = [
            listed_modules.module_of(root, path, name, types[name], os.fspath(base / name))
            for name in structure[role]
        ]
        routes[role] = [*own, *shared]
        listed_modules.check_order(routes[role], path)
    return routes, Outline(len(shared), default)


def _read_config(path: Path) -> tuple[dict[str, str], dict[str, list[str]], str | None]:
    """Return the classes of modules by name, the names of each route, and the default route."""
    told = listed_modules.read_json(path)
    types, structure = (
        told.get(name) if isinstance(told, dict) else None for name in ("types", "structure")
    )
    if (
        not isinstance(types, dict)
        or not isinstance(structure, dict)
        or not all(isinstance(kind, str) for kind in types.values())
        or not all(
            isinstance(names, list) and all(name in types for name in names)
            for names in structure.values()
        )
    ):
        raise BadInputError(f"{path}: expected types and structure, as sentence-transformers has")
    parameters = told.get("parameters")
    if not isinstance(parameters, dict) or parameters.get("default_route") not in (None, *_ROLES):
        raise BadInputError(f"{path}: expected parameters with a default_route of its routes")
    mapped = parameters.get("route_mappings")
    if sorted(structure) != sorted(_ROLES) or mapped:
        routes = ", ".join(str(name) for name in (*structure, *(mapped or ())))
        raise BadInputError(
            f"{path}: its routes are {routes or 'none'}; expected {' and '.join(_ROLES)}"
        )
    return types, structure, parameters.get("default_route")
