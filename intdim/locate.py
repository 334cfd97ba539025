"""Where a model's files are: shipped with the package, in a local folder, or on the Hugging Face hub."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from intdim.errors import UserError
from intdim.fingerprint import fingerprint_folder

SMALL_FILES = ["*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.py"]  # code only runs if it is trusted
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
# What the hub's HTTP library raises, whichever it is: the hub's own error derives from it, and from OSError, which is
# left out here: a full disk is no missing network.
NETWORK_ERRORS: tuple[type[BaseException], ...] = tuple(
    base for base in HfHubHTTPError.__bases__ if base is not OSError
)
FOLDER_FILES = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.py", "*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Located:
    """A folder in Hugging Face's format and a name for its content: the hub commit, or a hash of the files."""

    folder: Path
    fingerprint: str


def locate(source: str, reference: str, revision: str = "main", path: str = "") -> Located:
    """Return the folder that holds a model.

    Args:
        source: ``builtin``, ``local`` or ``hub``.
        reference: the built-in name (a folder of the package) or the hub id.
        revision: a branch, tag or commit of the hub.
        path: the folder of a local model.

    Raises:
        UserError: there is no such model, it is gated, or it cannot be reached and is not cached.
    """
    if source == "builtin":
        folder = Path(str(importlib.resources.files("intdim"))) / "assets" / reference
        return Located(folder, fingerprint_folder(folder, FOLDER_FILES))
    if source == "local":
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise UserError(f"model.path={path} is no folder", "a folder in Hugging Face's format", "Check the path.")
        check_folder(folder)
        return Located(folder.resolve(), fingerprint_folder(folder, FOLDER_FILES))
    folder = download(reference, revision)
    check_folder(folder)
    return Located(folder, folder.name)  # a snapshot's folder is named after its commit


def check_folder(folder: Path) -> None:
    """Raise ``UserError`` unless the folder holds a configuration (weights are checked when they are loaded)."""
    if not (folder / "config.json").is_file():
        held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:6]) or "nothing"
        raise UserError(
            f"{folder} holds no config.json (it holds {held})",
            "a folder written by save_pretrained: config.json, weights, tokenizer files",
            "Check model.path.",
        )


def download(reference: str, revision: str) -> Path:
    """Return the snapshot folder of a hub model, from the cache where it is there; safetensors are preferred."""
    named = f"{reference}" + (f" at revision {revision}" if revision != "main" else "")
    try:
        folder = Path(snapshot_download(reference, revision=revision, allow_patterns=[*SMALL_FILES, WEIGHT_FILES[0]]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(reference, revision=revision, allow_patterns=[*SMALL_FILES, *WEIGHT_FILES]))
        return folder
    except GatedRepoError:
        raise UserError(
            f"{named} is gated: its owner grants access",
            "a model you may read",
            "Ask for access on its hub page and run `hf auth login`, or use model.path= with a local copy.",
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{reference} has no revision {revision!r}", "a branch, tag or commit of it", "Check model.revision."
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub knows no model {reference!r} (or it is private)",
            "an id as the hub writes it, owner/name",
            "Check model.reference, or use model.path= with a local folder.",
        ) from None
    except HFValidationError as error:
        raise UserError(f"{reference!r} is no hub id: {error}", "owner/name", "Check model.reference.") from None
    except (LocalEntryNotFoundError, EntryNotFoundError, ConnectionError, TimeoutError, *NETWORK_ERRORS) as error:
        raise UserError(
            f"{named} is not in the local cache and the hub cannot be reached ({type(error).__name__})",
            "a cached model, or a network",
            "Run `intdim fetch` where there is a network, or use model.path= with a local folder.",
        ) from None
