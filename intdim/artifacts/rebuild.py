"""A fine-tuned model rebuilt from a few kB: theta_0 from its base, P from its seed, z from the file.

model = intdim.load("run.safetensors", base="path-or-hub-name")      # theta_0 + S P z, bit for bit on a CPU
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from intdim.artifacts import file
from intdim.artifacts.base import another_base, find_base
from intdim.artifacts.header import Header, Recipe, versions_text
from intdim.coding import Damaged, Message, decode
from intdim.errors import UserError
from intdim.models.locate import Located
from intdim.run import build
from intdim.run.machine import versions
from intdim.spec import SubspaceSpec

ROUNDING = 1e-6  # by which the norm of weights that were rounded otherwise may differ, relative to the norm


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
        UserError: the file is not an artifact, damaged, or of another version; the base is missing or is another model,
            revision or version than the one the run started from.
    """
    header, tensors = file.read(Path(path))
    if header.base.trust_remote_code and not trust_remote_code:
        raise UserError(
            f"{path} would run code that comes with its base {header.base.reference or header.base.name}",
            "trust_remote_code=True, for a base whose code you have read",
            "Give it to intdim.load, or leave the file alone.",
        )
    return assemble(header, tensors, find_base(header, base), exact)


def rebuild(path: Path, base: Located) -> nn.Module:
    """Return the model of an artifact whose base has been found; raises ``UserError`` as ``load`` does."""
    header, tensors = file.read(path)
    return assemble(header, tensors, base, exact=True)


def assemble(header: Header, tensors: dict[str, Tensor], base: Located, exact: bool) -> nn.Module:
    """Return the model of an artifact that was read, in evaluation mode; raises ``UserError`` as ``load`` does."""
    model = theta_0(header.recipe, base.folder)
    if hash_of(model) != header.theta_0:
        raise another_base(header, base)

    recipe, state = _content(header, tensors, most=sum(weight.numel() for weight in model.parameters()))
    theta = move(model, recipe, state)

    if hash_of(model) != header.theta:
        wanted, got = header.theta_norm, float(theta.double().norm())
        if exact or abs(got - wanted) > ROUNDING * wanted:
            raise UserError(
                "the rebuilt weights are not bit for bit those that were exported: "
                f"made with {versions_text(header.versions)}, here is {versions_text(versions())}",
                "the processor and the versions it was made with",
                "intdim.load(..., exact=False) accepts differences in rounding." if exact else "",
            )
    return model.eval()


def theta_0(recipe: Recipe, folder: Path) -> nn.Module:
    """Return the model before training, on the CPU; the global random state stays as it was."""
    with preserved_randomness():
        return build.theta_0(
            recipe.model,
            folder,
            recipe.head,
            head_seed=build.head_seed(recipe.seed),
            pad_token_id=recipe.pad_token_id,
            gradient_checkpointing=False,
        )


def move(model: nn.Module, recipe: Recipe, state: dict[str, Tensor]) -> Tensor:
    """Turn theta_0 into theta_0 + S P z, each weight with memory of its own and without a gradient.

    Args:
        model: holds theta_0.
        recipe: of its subspace.
        state: ``z`` (d - m,) and, for SAID, ``scales`` (m,).

    Returns:
        The weights inside the subspace as one flat tensor (D,).

    Raises:
        UserError: the numbers do not fit d and the scales of the subspace.
    """
    subspace = build.make_subspace(model, recipe.subspace, recipe.d, recipe.seed)
    sizes = {name: len(row) for name, row in state.items()}
    if sizes != {name: len(row) for name, row in subspace.state_dict().items()}:
        raise UserError(
            f"the artifact has {', '.join(f'{size} numbers of {name}' for name, size in sizes.items())}, "
            f"which do not fit d={recipe.d} and {subspace.num_groups} scales",
            "the file as `intdim export` wrote it",
            "",
        )
    subspace.load_state_dict(state)
    subspace.write()

    for weight in model.parameters():
        weight.grad = None
        weight.data = weight.data.clone()
    return subspace.theta


def state_of(message: Message) -> dict[str, Tensor]:
    """Return z and, for SAID, the scales that a message says, as float32."""
    state = {"z": torch.from_numpy(message.z.values)}
    if message.scales is not None:
        state["scales"] = 1.0 + torch.from_numpy(message.scales.values)
    return state


def hash_of(model: nn.Module) -> str:
    """Return the SHA-256 of all weights and saved buffers: names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextlib.contextmanager
def preserved_randomness() -> Iterator[None]:
    """Put the global generators of Python, NumPy and torch back as they were."""
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


def _content(header: Header, tensors: dict[str, Tensor], most: int) -> tuple[Recipe, dict[str, Tensor]]:
    """Return (recipe, state of the subspace). Of a coded artifact the message is believed, not its header; a few bytes
    can say that there are any number of numbers, so that one of more than ``most`` is not read."""
    recipe = header.recipe
    if header.kind == "exact":
        return recipe, tensors

    try:
        message, _ = decode(bytes(tensors["message"].numpy()), most)
    except Damaged as error:
        raise UserError(f"the coded message is damaged: {error}", "", "Export the run again.") from None
    subspace = SubspaceSpec(message.method, message.projection, message.scope, message.groups, message.exclude)
    said = Recipe(recipe.model, subspace, message.d, message.seed, recipe.head, recipe.pad_token_id)
    return said, state_of(message)
