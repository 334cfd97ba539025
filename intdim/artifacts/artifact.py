"""A fine-tuned model in a few kB: z, the scales, and how theta_0 and P are found again, in one safetensors file.

    model = intdim.load("run.safetensors", base="path-or-hub-name")      # theta_0 + S P z, bit for bit on a CPU

Two kinds. ``exact`` holds z (and the scales) as float32, as the run left them. ``coded`` holds one tensor ``message``:
the quantised run as ``intdim.coding`` writes it, which says everything but what theta_0 is. The header of both names
the base, hashes theta_0 (body, and head drawn from the run's seed) and the rebuilt weights, and seals the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from intdim.coding import CODE_VERSION, Damaged, decode
from intdim.errors import UserError
from intdim.models.load import load_model
from intdim.models.locate import Located, locate
from intdim.run.checkpoint import load_tensors, save_tensors
from intdim.run.execute import seed_world, versions
from intdim.spec import STREAM_VERSION, ModelSpec, SubspaceSpec, derive_seed, from_dict, to_dict
from intdim.subspace import Subspace

FORMAT = 1  # raised by hand when an artifact of this version would be misread by an older one
KINDS = ("exact", "coded")
HEADER = "intdim"  # the key of the header's JSON among safetensors' metadata


@dataclass(frozen=True)
class Recipe:
    """What rebuilds a model: theta_0 by ``model`` and ``seed`` (the head), P by ``subspace``, ``d`` and ``seed``."""

    model: ModelSpec
    subspace: SubspaceSpec
    d: int
    seed: int
    classes: int
    pad_token_id: int


def load(
    path: str | Path, base: str | Path | None = None, exact: bool = True, trust_remote_code: bool = False
) -> nn.Module:
    """Rebuild the model of an artifact on the CPU, ready for inference.

    Args:
        path: what ``intdim export`` or ``intdim bound`` wrote.
        base: the pre-trained model: a folder in Hugging Face's format, a built-in name, or a hub id (at the revision
            the artifact names). Left out, the artifact says where it is; a local folder must be given.
        exact: refuse weights that differ in any bit from those that were exported. Another processor or version of
            torch may round differently; False accepts what such rounding does.
        trust_remote_code: allow an artifact whose run did so to run the code that comes with its base.

    Returns:
        The classifier in float32, in evaluation mode. The global random state is as it was.

    Raises:
        UserError: the file is no artifact, damaged, or of another version; the base is missing or is another model,
            revision or version than the one the run started from.
    """
    header, tensors = read(Path(path))
    if header["base"]["trust_remote_code"] and not trust_remote_code:
        raise UserError(
            f"{path} would run code that comes with its base {header['base']['reference'] or header['base']['name']}",
            "trust_remote_code=True, for a base whose code you have read",
            "Give it to intdim.load, or leave the file alone.",
        )
    model, _ = assemble(header, tensors, find_base(header, base), exact)
    return model.eval()


def assemble(
    header: dict[str, Any], tensors: dict[str, Tensor], base: Located, exact: bool
) -> tuple[nn.Module, Tensor]:
    """Return (the model of an artifact that was read, its theta_0 + S P z as a flat (D,) tensor).

    Raises:
        UserError: see ``load``.
    """
    recipe, state = _content(header, tensors)
    with preserved_randomness():
        model = theta_0(recipe, base.folder)
    if hash_of(model) != header["theta_0"]:
        raise _another_base(header, base)
    subspace = make_subspace(model, recipe)
    if {name: len(row) for name, row in subspace.state_dict().items()} != {k: len(row) for k, row in state.items()}:
        raise UserError(
            f"the artifact has {', '.join(f'{len(row)} numbers of {name}' for name, row in state.items())}, "
            f"which do not fit d={recipe.d} and {subspace.num_groups} scales",
            "the file as `intdim export` wrote it",
            "",
        )
    subspace.load_state_dict(state)
    subspace.write()
    moved = subspace.theta
    release(model)
    if hash_of(model) != header["theta"]:
        wanted, got = header["theta_norm"], float(moved.double().norm())
        if exact or abs(got - wanted) > 1e-6 * wanted:
            raise UserError(
                "the rebuilt weights are not bit for bit those that were exported: "
                f"made with {_versions(header['versions'])}, here is {_versions(versions())}",
                "the processor and the versions it was made with",
                "intdim.load(..., exact=False) accepts differences in rounding." if exact else "",
            )
    return model, moved


def theta_0(recipe: Recipe, folder: Path) -> nn.Module:
    """Return the model before training, on the CPU. Draws from the global generators."""
    spec = recipe.model
    return load_model(
        folder,
        classes=recipe.classes,
        overrides=spec.overrides,
        random_init=spec.random_init,
        trust_remote_code=spec.trust_remote_code,
        gradient_checkpointing=False,
        seed_world=seed_world,
        init_seed=spec.init_seed,
        head_seed=derive_seed(recipe.seed, "head"),
        pad_token_id=recipe.pad_token_id,
    )


def make_subspace(model: nn.Module, recipe: Recipe) -> Subspace:
    """Return the run's subspace through the model's present weights."""
    where = recipe.subspace
    return Subspace(
        model,
        d=recipe.d,
        projection=where.projection,
        method=where.method,
        scope=where.scope,
        groups=where.groups,
        seed=derive_seed(recipe.seed, "projection"),
        exclude=where.exclude,
    )


@torch.no_grad()
def release(model: nn.Module) -> None:
    """Give each weight its own memory again, without a gradient: a plain module that can be saved."""
    for weight in model.parameters():
        weight.grad = None
        weight.data = weight.data.clone()


@contextlib.contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global generators of Python, NumPy and torch (on the CPU) back as they were."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def hash_of(model: nn.Module) -> str:
    """Return the SHA-256 of all weights and saved buffers: names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


# -- the file --------------------------------------------------------------------------------------------------------


def write(path: Path, kind: str, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write an artifact; ``facts`` are the header without its seal, versions and format."""
    header = {
        "format": FORMAT,
        "kind": kind,
        **facts,
        "stream_version": STREAM_VERSION,
        "code_version": CODE_VERSION,
        "versions": versions(),
    }
    header["seal"] = _seal(header, tensors)
    save_tensors(path, tensors, {HEADER: json.dumps(header, sort_keys=True, allow_nan=False)})


def facts_of(recipe: Recipe, model: nn.Module, theta: Tensor, before: str) -> dict[str, Any]:
    """Return the header's facts about a model that holds theta_0 + S P z; ``before`` is the hash of its theta_0."""
    return {
        "base": to_dict(recipe.model),
        "subspace": to_dict(recipe.subspace),
        "D": theta.numel(),
        "d": recipe.d,
        "seed": recipe.seed,
        "classes": recipe.classes,
        "pad_token_id": recipe.pad_token_id,
        "theta_0": before,
        "theta": hash_of(model),
        "theta_norm": float(theta.double().norm()),
    }


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return an artifact's (header, tensors).

    Raises:
        UserError: there is no such file, or it is no artifact, damaged, changed, or of another version.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}", "what `intdim export` wrote", "Check the path.")
    try:
        tensors, metadata = load_tensors(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({error})", "a whole safetensors file", "Export the run again.") from None
    try:
        header = json.loads(metadata.get(HEADER, ""))
        assert isinstance(header, dict)
    except (ValueError, AssertionError):
        raise UserError(f"{path} is no artifact of intdim", "what `intdim export` wrote", "") from None
    here = {"format": FORMAT, "stream_version": STREAM_VERSION, "code_version": CODE_VERSION}
    for name, version in here.items():
        if header.get(name) != version:
            raise UserError(
                f"{path} has {name.replace('_', ' ')} {header.get(name)}, this is {version}",
                "an artifact of this version of intdim",
                f"It was made with {_versions(header.get('versions'))}.",
            )
    sealed = {name: value for name, value in header.items() if name != "seal"}
    if header.get("seal") != _seal(sealed, tensors) or header.get("kind") not in KINDS:
        raise UserError(
            f"{path} was changed after it was written: its seal does not fit its content",
            "the file as `intdim export` wrote it",
            "Export the run again.",
        )
    try:
        recipe_of(header)
        _check_content(header, tensors)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} holds no run that can be rebuilt ({error})", "the file as `intdim export` wrote it", ""
        ) from None
    return header, tensors


def _check_content(header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raise ``ValueError`` or ``KeyError`` for a header or tensors that fit no run: a seal can be made by anyone."""
    for name, kind in {
        "d": int,
        "seed": int,
        "classes": int,
        "pad_token_id": int,
        "theta_0": str,
        "theta": str,
    }.items():
        if type(header[name]) is not kind:
            raise ValueError(f"{name}={header[name]!r}")
    if not header["theta_norm"] >= 0:
        raise ValueError(f"theta_norm={header['theta_norm']!r}")
    said = header["subspace"]["method"] == "said"
    wanted = {"message"} if header["kind"] == "coded" else {"z", "scales"} if said else {"z"}
    if set(tensors) != wanted:
        raise ValueError(f"tensors {', '.join(sorted(tensors))}")
    dtype = torch.uint8 if header["kind"] == "coded" else torch.float32
    if any(tensor.dtype != dtype or tensor.ndim != 1 for tensor in tensors.values()):
        raise ValueError(f"tensors that are not rows of {dtype}")
    if header["kind"] == "exact":
        count = sum(tensor.numel() for tensor in tensors.values())
        if count != header["d"] or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError(f"{count} numbers for d={header['d']}, or some that are not finite")


def recipe_of(header: dict[str, Any]) -> Recipe:
    """Return how the model of a header is rebuilt."""
    return Recipe(
        model=from_dict(ModelSpec, header["base"]),
        subspace=from_dict(SubspaceSpec, header["subspace"]),
        d=header["d"],
        seed=header["seed"],
        classes=header["classes"],
        pad_token_id=header["pad_token_id"],
    )


def _content(header: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[Recipe, dict[str, Tensor]]:
    """Return (recipe, state of the subspace). A coded artifact's message is believed, not its header."""
    recipe = recipe_of(header)
    if header["kind"] == "exact":
        return recipe, tensors
    try:
        message, _ = decode(bytes(tensors["message"].numpy()))
    except Damaged as error:
        raise UserError(f"the coded message is damaged: {error}", "", "Export the run again.") from None
    where = SubspaceSpec(message.method, message.projection, message.scope, message.groups, message.exclude)
    state = {"z": torch.from_numpy(message.z.values)}
    if message.scales is not None:
        state["scales"] = 1.0 + torch.from_numpy(message.scales.values)
    made = Recipe(recipe.model, where, message.d, message.seed, recipe.classes, recipe.pad_token_id)
    return made, state


def _seal(header: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True, allow_nan=False).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


# -- the base --------------------------------------------------------------------------------------------------------


def find_base(header: dict[str, Any], base: str | Path | None) -> Located:
    """Return the folder of the pre-trained model; raises ``UserError`` where it cannot be had."""
    spec = from_dict(ModelSpec, header["base"])
    if base is not None and Path(base).expanduser().is_dir():
        return locate("local", "", path=str(base))
    name = str(base) if base is not None else spec.reference
    if base is None and spec.source == "local":
        raise UserError(
            f"the run started from a local folder ({spec.name}, content {spec.fingerprint})",
            "the folder of that model",
            "Give base=DIR.",
        )
    if spec.source == "builtin" and name == spec.reference:
        return locate("builtin", name)
    if "/" in name and Path(name).expanduser().is_absolute():
        raise UserError(f"base={name} is no folder", "a folder in Hugging Face's format, or a hub id", "Check it.")
    same = spec.source == "hub" and name == spec.reference
    return locate("hub", name, revision=spec.fingerprint if same else "main")


def _another_base(header: dict[str, Any], base: Located) -> UserError:
    spec = from_dict(ModelSpec, header["base"])
    wanted = f"{spec.reference or spec.name}" + (f" at revision {spec.revision}" if spec.revision else "")
    if base.fingerprint == spec.fingerprint:
        return UserError(
            "theta_0 is not the one the run started from, although its files are: "
            f"made with {_versions(header['versions'])}, here is {_versions(versions())}",
            "versions that draw the same head and read the same weights",
            "Install those versions.",
        )
    return UserError(
        f"the base in {base.folder} is not the model the run started from: its theta_0 has another hash",
        f"{wanted}, content {spec.fingerprint} (this is {base.fingerprint})",
        "Give that model as base=.",
    )


def _versions(found: Any) -> str:
    names = ("intdim", "torch", "transformers")
    return ", ".join(f"{name} {found[name]}" for name in names if name in found) if isinstance(found, dict) else "?"
