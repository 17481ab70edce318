"""The sending of a folder to the hub, which is done only when it is asked for."""

from __future__ import annotations

from pathlib import Path

from stage2.utils.errors import BadInputError, RunFailedError


def check_repository(name: str) -> None:
    """Refuse a name that is none of a repository.

    Raises:
        BadInputError: it is not `org/name`.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise BadInputError(f"--push-to-hub {name}: expected ORG/NAME: {error}") from error
    if name.count("/") != 1:
        raise BadInputError(f"--push-to-hub {name}: expected ORG/NAME")


def push(folder: Path, name: str) -> str:
    """Send a folder to a repository, which is made private if it is new.

    Args:
        folder: the folder, complete.
        name: `org/name`. The token is the environment's own.

    Returns:
        The address of the commit.

    Raises:
        RunFailedError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(name, repo_type="model", private=True, exist_ok=True)
        told = api.upload_folder(repo_id=name, repo_type="model", folder_path=folder)
    except Exception as error:  # The errors of networks have no common class.
        reason = str(error).strip().split("\n", 1)[0]
        raise RunFailedError(
            f"{folder} is written, but the hub did not take it as {name}: {reason}. Check the "
            f"token (hf auth login, or HF_TOKEN), then: hf upload {name} {folder}"
        ) from error
    return str(told)
