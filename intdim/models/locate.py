"""Where a model's files are: shipped with the package, in a local folder, or on the Hugging Face hub."""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
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
from huggingface_hub.file_download import repo_folder_name

from intdim.errors import UserError
from intdim.fingerprint import MODEL_FILES, fingerprint_folder

SMALL_FILES = ["*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.py"]  # code only runs if it is trusted
WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json")
# What the hub's HTTP library raises, whichever it is: the hub's own error derives from it, and from OSError, which is
# left out here: a full disk is no missing network.
NETWORK_ERRORS: tuple[type[BaseException], ...] = tuple(
    base for base in HfHubHTTPError.__bases__ if base is not OSError
)
SHOWN = 12  # revisions in a message
ADAPTER_FILES = ("adapter_config.json", "adapter_model*", "pytorch_adapter.bin", "adapters.safetensors")


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
        return Located(folder, fingerprint_folder(folder, MODEL_FILES))
    if source == "local":
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise UserError(f"model.path={path} is no folder", "a folder in Hugging Face's format", "Check the path.")
        check_folder(folder)
        return Located(folder.resolve(), fingerprint_folder(folder, MODEL_FILES))
    folder = download(reference, revision)
    check_folder(folder)
    return Located(folder, folder.name)  # a snapshot's folder is named after its commit


def check_content(folder: Path, source: str, fingerprint: str) -> None:
    """Raise ``UserError`` where the files of a model are no longer those whose content a run names; the hub's cache
    keeps a folder for each commit."""
    if source == "hub":
        return
    found = fingerprint_folder(folder, MODEL_FILES)
    if found != fingerprint:
        raise UserError(
            f"the files in {folder} have changed since they were prepared (content {found}, it was {fingerprint})",
            "weights that stay as they are while runs are made from them",
            "Give the same command again: it measures the weights that are there now.",
        )


def check_folder(folder: Path) -> None:
    """Raise ``UserError`` unless the folder holds a configuration (weights are checked when they are loaded)."""
    if not (folder / "config.json").is_file():
        refuse_adapters(folder)
        if os.path.lexists(folder / "config.json"):
            raise UserError(f"{folder / 'config.json'} is no plain file", "the configuration of a model", "Replace it.")
        held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:6]) or "nothing"
        raise UserError(
            f"{folder} holds no config.json (it holds {held})",
            "a folder written by save_pretrained: config.json, weights, tokenizer files",
            "Check model.path.",
        )


def refuse_adapters(folder: Path) -> None:
    """Raise ``UserError`` where an adapter lies in a folder: its weights would be left out."""
    for pattern in ADAPTER_FILES:
        found = next(folder.glob(pattern), None)
        if found is not None:
            raise UserError(
                f"{folder} holds an adapter ({found.name}), which would be left out",
                "the weights of a whole model",
                "Merge the adapter first (peft: model.merge_and_unload().save_pretrained(DIR)), or move its files away "
                "to start without it.",
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
            f"{named} is gated: its owner grants access{_cached(reference)}",
            "a model you may read",
            "Ask for access on its hub page and run `hf auth login`, or use model.path= with a local copy.",
        ) from None
    except RevisionNotFoundError:
        raise UserError(
            f"{reference} has no revision {revision!r}{_cached(reference)}",
            "a branch, tag or commit of it",
            "Check model.revision.",
        ) from None
    except RepositoryNotFoundError:
        raise UserError(
            f"the hub knows no model {reference!r} (or it is private){_cached(reference)}",
            "an id as the hub writes it, owner/name",
            "Check model.reference, or use model.path= with a local folder.",
        ) from None
    except HFValidationError as error:
        raise UserError(f"{reference!r} is no hub id: {error}", "owner/name", "Check model.reference.") from None
    except (LocalEntryNotFoundError, EntryNotFoundError, ConnectionError, TimeoutError, *NETWORK_ERRORS) as error:
        raise UserError(
            f"{named} is not in the local cache and the hub cannot be reached ({type(error).__name__})"
            f"{_cached(reference)}",
            "a cached model, or a network",
            "Run `intdim fetch` where there is a network, or use model.path= with a local folder.",
        ) from None


def cached_revisions(reference: str) -> list[str]:
    """Return the revisions of a hub model that lie whole or in part in the cache, in the order of their numbers:
    branches and tags by name, commits without one by their hash."""
    home = Path(huggingface_hub.constants.HF_HUB_CACHE) / repo_folder_name(repo_id=reference, repo_type="model")
    commits = {entry.name for entry in (home / "snapshots").glob("*") if entry.is_dir()}
    named: dict[str, str] = {}
    for file in (home / "refs").rglob("*"):
        if file.is_file():
            named[file.relative_to(home / "refs").as_posix()] = file.read_text(encoding="utf-8").strip()
    names = [name for name, commit in named.items() if commit in commits]
    return sorted([*names, *(commits - set(named.values()))], key=_by_numbers)


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Sort ``step1000`` before ``step20000``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _cached(reference: str) -> str:
    """Return what a message says of the cache: the revisions that are there, else models of a similar name."""
    there = cached_revisions(reference)
    if there:
        shown = ", ".join(there[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
        return f"; cached revisions: {shown}"
    folders = Path(huggingface_hub.constants.HF_HUB_CACHE).glob("models--*")
    models = sorted(folder.name.removeprefix("models--").replace("--", "/") for folder in folders)
    close = difflib.get_close_matches(reference, models, n=3)
    return f"; cached models of a similar name: {', '.join(close)}" if close else ""
