"""Named tensors in files: their names and shapes before any memory is asked for; no code is run."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from stage2.utils.errors import BadInputError
from stage2.utils.files import atomic, check_regular, sha256

SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"
INDEX_SUFFIX = ".index.json"

Shapes = Mapping[str, tuple[int, ...]]

# Before this version torch looks into other archives than its own, and runs what it finds there,
# even where it is told to read weights only.
_SAFE_TORCH = (2, 6)
# As safetensors calls them.
_SAVED_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# A member of torch's archive that is ours.
_ABOUT = "archive/stage2.json"
_MOST_ABOUT = 1 << 16
# Members of an archive that is a program, not weights.
_PROGRAM = ("constants.pkl", "code/")


def weight_files(folder: Path) -> list[Path]:
    """The files that a model's weights lie in: safetensors where there are any, one or a list.

    Raises:
        BadInputError: there are no weights, or their index names a file that is not there.
    """
    for name in (SAFETENSORS, PICKLED):
        if (folder / name).exists():
            return [check_regular(folder / name)]
        index = folder / f"{name}{INDEX_SUFFIX}"
        if index.exists():
            return _listed(check_regular(index))
    raise BadInputError(f"{folder}: no weights there; expected {SAFETENSORS} or {PICKLED}")


def _listed(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("a name that is none of a file beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{index}: not a list of files of weights ({error}); expected a weight_map of names"
        ) from error
    found = [index.parent / name for name in sorted(names)]
    for path in found:
        if not path.exists():
            raise BadInputError(f"{path}: no such file; {index.name} says that weights lie in it")
        check_regular(path)
    return found


def shapes_of(files: list[Path]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors in files, without reading the tensors."""
    found: dict[str, tuple[int, ...]] = {}
    for path in files:
        if path.suffix == ".safetensors":
            with _safetensors_errors(path), safe_open(path, framework="pt") as file:
                found |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  safetensors has no iteration
        else:
            state = read_state_dict(path, device="meta")
            found |= {name: tuple(tensor.shape) for name, tensor in state.items()}
    return found


def dtype_of(files: list[Path]) -> torch.dtype:
    """The floating-point type of the first matrix in files of weights, without reading it."""
    for path in files:
        if path.suffix == ".safetensors":
            with _safetensors_errors(path), safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  safetensors has no iteration
                    part = file.get_slice(name)
                    if len(part.get_shape()) == 2 and part.get_dtype() in _SAVED_DTYPES:
                        return _SAVED_DTYPES[part.get_dtype()]
        else:
            for tensor in read_state_dict(path, device="meta").values():
                if tensor.dim() == 2 and tensor.dtype in _SAVED_DTYPES.values():
                    return tensor.dtype
    return torch.float32


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, on the CPU."""
    with _safetensors_errors(check_regular(path)):
        return load_file(path)


@contextmanager
def _safetensors_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path}: cannot be read as safetensors: {error}") from error


def read_state_dict(path: str | os.PathLike[str], device: str = "cpu") -> dict[str, Tensor]:
    """Read a `.pt` of named tensors; anything else in it is refused, and no code is run."""
    state = read_tensors(path, device)
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise BadInputError(f"{path}: not a state_dict; expected a mapping of names to tensors")
    return dict(state)


def read_tensors(path: str | os.PathLike[str], device: str = "cpu") -> Any:
    """Read tensors, numbers, texts and what is built of them; no code is run.

    Raises:
        BadInputError: the file is not one of torch's, is packed, or holds more than that.
    """
    _check_archive(check_regular(path))
    try:
        with warnings.catch_warnings():
            # It warns of other pickle protocols, and then refuses them.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{path}: refused: it is no file of torch's, or holds more than tensors, and loading "
            "it could run code. Expected torch.save(model.state_dict())"
        ) from error
    except OSError:
        raise
    except Exception as error:  # What a damaged pickle raises has no common kind.
        reason = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        raise BadInputError(
            f"{path}: not a checkpoint that torch can read ({reason}). "
            "Expected torch.save(model.state_dict())"
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse an archive that is a program, or that unpacks to more than its size."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _SAFE_TORCH:
            raise BadInputError(
                f"{path}: refused: torch {torch.__version__} cannot read it without the risk of "
                "running code in it. Install torch 2.6 or later"
            ) from None
        return
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise BadInputError(f"{path}: refused: its tensors are packed; expected torch.save's file")
    inside = [member.filename.partition("/")[2] for member in members]
    if any(name.startswith(_PROGRAM) for name in inside):
        raise BadInputError(
            f"{path}: refused: it is a TorchScript program. Expected torch.save(model.state_dict())"
        )


def check_finite(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Refuse weights with a NaN or an infinity among them, and name the first such tensor.

    Raises:
        BadInputError: as said.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            count = int((~torch.isfinite(tensor)).sum())
            raise BadInputError(
                f"{path}: {name} {tuple(tensor.shape)} has {count} values that are NaN or "
                "infinite; expected finite weights. Take an earlier checkpoint"
            )


def read_unchanged(path: Path, digest: str | None) -> dict[str, Tensor]:
    """Read weights that were written earlier, and hold them against their hash.

    Raises:
        BadInputError: the file is not as it was written.
    """
    if digest is not None and (not path.is_file() or sha256(path) != digest):
        raise BadInputError(
            f"{path}: damaged, changed or gone since it was written: it does not have the hash "
            "that was noted then. Give --resume never to start over"
        )
    return read_state_dict(path)


def read_about(path: Path) -> dict[str, Any] | None:
    """What `save_state_dict` was told of the tensors in a file; None where it was told nothing.

    Raises:
        BadInputError: what stands there is no JSON object.
    """
    if not zipfile.is_zipfile(check_regular(path)):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if _ABOUT not in archive.namelist():
                return None
            with archive.open(_ABOUT) as member:
                about = json.loads(member.read(_MOST_ABOUT))
        if not isinstance(about, dict):
            raise ValueError("no object")
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError) as error:
        raise BadInputError(f"{path}: damaged: what it says of its tensors is {error}") from error
    return about


def save_state_dict(
    state: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    about: Mapping[str, Any] | None = None,
) -> str:
    """Write named tensors as `read_state_dict` reads them, on the CPU, whole or not at all.

    `about` is for `read_about`: it stands in the same file, where torch does not look.

    Returns:
        SHA-256 of the file.
    """
    return save_tensors({key: value.detach().cpu() for key, value in state.items()}, path, about)


def save_tensors(
    content: Any, path: str | os.PathLike[str], about: Mapping[str, Any] | None = None
) -> str:
    """Write what `read_tensors` reads, whole or not at all; `about` as `save_state_dict` has it.

    Returns:
        SHA-256 of the file.

    Raises:
        OSError: it cannot be written, as where the disk is full; with the file's name.
    """
    # Into an open file: given a path, torch writes its name into the archive.
    with atomic(path) as temporary:
        with open(temporary, "wb") as file:
            told = _TellsWhy(file)
            try:
                torch.save(content, cast("IO[bytes]", told))
            except Exception:
                # torch says where in the file it failed, and not why.
                if told.reason is not None:
                    raise told.reason from None
                raise
        if about is not None:
            # The member has no date, so that equal tensors give equal bytes.
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(zipfile.ZipInfo(_ABOUT), json.dumps(about))
        return sha256(temporary)


class _TellsWhy:
    """A file that keeps the error of a write: on its way through torch it is lost."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.reason: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            written: int = self._file.write(data)
        except OSError as error:
            self.reason = error
            raise
        return written

    def flush(self) -> None:
        self._file.flush()


def save_safetensors(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> None:
    """Write named tensors as safetensors, on the CPU, whole or not at all.

    Raises:
        OSError: as `save_tensors`.
    """
    # A tensor of its own for each name: safetensors refuses shared memory.
    copies = {key: value.detach().cpu().clone() for key, value in state.items()}
    with atomic(path) as temporary:
        try:
            save_file(copies, temporary, metadata={"format": "pt"})
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code)) from error
