"""Named tensors in files. Their names and shapes can be read first, and no code in them is run."""

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
from torch import Tensor, nn

from stage2.utils.errors import BadInputError
from stage2.utils.files import atomic, check_regular, sha256

SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"
INDEX_SUFFIX = ".index.json"

Shapes = Mapping[str, tuple[int, ...]]

# Older versions of torch also read archives of other formats and can run code in them, even with
# `weights_only=True`.
_SAFE_TORCH = (2, 6)
# The keys are the names that safetensors has for them.
_SAVED_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# The member that this project adds to torch's archive, and how many bytes of it are read at most.
_ABOUT = "archive/stage2.json"
_MOST_ABOUT = 1 << 16
# These members show that an archive is a program and not weights.
_PROGRAM = ("constants.pkl", "code/")


def copy_of_weights(model: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a model to the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def weight_files(folder: Path) -> list[Path]:
    """Return the files with a model's weights: safetensors if there are any, else pickled ones.

    Raises:
        BadInputError: there are no weights, or their index names a file that does not exist.
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
    """Return the names and shapes of all tensors in the files, without reading the tensors."""
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
    """Read the tensors of a safetensors file to the CPU.

    Raises:
        BadInputError: the file is not a safetensors file, or cannot be read.
    """
    with _safetensors_errors(check_regular(path)):
        return load_file(path)


@contextmanager
def _safetensors_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path}: cannot be read as safetensors: {error}") from error


def read_state_dict(path: str | os.PathLike[str], device: str = "cpu") -> dict[str, Tensor]:
    """Read named tensors from a `.pt` file. No code in it is run.

    Raises:
        BadInputError: the file holds anything else.
    """
    state = read_tensors(path, device)
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    ):
        raise BadInputError(f"{path}: not a state_dict; expected a mapping of names to tensors")
    return dict(state)


def read_tensors(path: str | os.PathLike[str], device: str = "cpu") -> Any:
    """Read tensors, numbers, texts and containers of these. No code in the file is run.

    Raises:
        BadInputError: torch did not write the file, its tensors are compressed, or it holds
            anything else.
    """
    _check_archive(check_regular(path))
    try:
        with warnings.catch_warnings():
            # torch warns about other pickle protocols before it refuses them.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInputError(
            f"{path}: refused: it is no file of torch's, or holds more than tensors, and loading "
            "it could run code. Expected torch.save(model.state_dict())"
        ) from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        reason = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        raise BadInputError(
            f"{path}: not a checkpoint that torch can read ({reason}). "
            "Expected torch.save(model.state_dict())"
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse an archive that is a program, or that is compressed and so unpacks to more memory."""
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
    """Refuse weights that contain NaN or infinity.

    Raises:
        BadInputError: a tensor contains NaN or infinity. The message names the first such tensor.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            count = int((~torch.isfinite(tensor)).sum())
            raise BadInputError(
                f"{path}: {name} {tuple(tensor.shape)} has {count} values that are NaN or "
                "infinite; expected finite weights. Take an earlier checkpoint"
            )


def read_unchanged(path: Path, digest: str | None) -> dict[str, Tensor]:
    """Read weights that were written earlier, if the file still has the SHA-256 `digest`.

    Raises:
        BadInputError: the file has changed or is gone.
    """
    if digest is not None and (not path.is_file() or sha256(path) != digest):
        raise BadInputError(
            f"{path}: damaged, changed or gone since it was written: it does not have the hash "
            "that was noted then. Give --resume never to start over"
        )
    return read_state_dict(path)


def read_about(path: Path) -> dict[str, Any] | None:
    """Read the `about` that `save_state_dict` wrote into a file; None if the file has none.

    Raises:
        BadInputError: it is not a JSON object.
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
    """Write named tensors for `read_state_dict`, whole or not at all.

    Args:
        state: the tensors, on any device.
        path: the file.
        about: a JSON object for `read_about`. It stands in the same file, and torch ignores it.

    Returns:
        The SHA-256 of the file.

    Raises:
        OSError: as in `save_tensors`.
    """
    return save_tensors({key: value.detach().cpu() for key, value in state.items()}, path, about)


def save_tensors(
    content: Any, path: str | os.PathLike[str], about: Mapping[str, Any] | None = None
) -> str:
    """Write tensors, numbers, texts and their containers for `read_tensors`, whole or not at all.

    Args:
        content: what is written.
        path: the file.
        about: a JSON object for `read_about`.

    Returns:
        The SHA-256 of the file.

    Raises:
        OSError: the file cannot be written, for example because the disk is full. The error names
            the file.
    """
    # torch gets an open file: it would write the name of a path into the archive.
    with atomic(path) as temporary:
        with open(temporary, "wb") as file:
            keeper = _ErrorKeeper(file)
            try:
                torch.save(content, cast("IO[bytes]", keeper))
            except Exception:
                # torch's error says where in the file it failed, but not why.
                if keeper.reason is not None:
                    raise keeper.reason from None
                raise
        if about is not None:
            # The member has no date, so that equal tensors give equal bytes.
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(zipfile.ZipInfo(_ABOUT), json.dumps(about))
        return sha256(temporary)


class _ErrorKeeper:
    """A file that keeps the error of a failed write, which torch replaces by its own."""

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
    """Write named tensors as safetensors, whole or not at all.

    Raises:
        OSError: as in `save_tensors`.
    """
    # Each tensor is copied, because safetensors refuses tensors that share memory.
    copies = {key: value.detach().cpu().clone() for key, value in state.items()}
    with atomic(path) as temporary:
        try:
            save_file(copies, temporary, metadata={"format": "pt"})
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code)) from error
