"""The file of a fine-tuned model: safetensors with a sealed header. What is read back is checked before it is believed.

Two kinds. ``exact`` holds z (and the scales) as float32, as the run left them. ``coded`` holds one tensor ``message``:
the quantised run as ``intdim.coding`` writes it, which says everything but what theta_0 is. The header of both names
the base, hashes theta_0 (body, and head drawn from the run's seed) and the rebuilt weights, and seals the file.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from intdim.artifacts.header import Header, versions_in_force, versions_text
from intdim.artifacts.layout import Layout, parsed, read_layout
from intdim.errors import UserError, echo
from intdim.run.checkpoint import load_tensors, save_tensors
from intdim.spec import to_dict

HEADER = "intdim"  # the key of the header's JSON among safetensors' metadata
BYTES_PER_NUMBER, MESSAGE_BYTES = 8, 1 << 20  # more than either kind of artifact takes


def write(path: Path, header: Header, tensors: dict[str, Tensor]) -> None:
    """Write an artifact and its seal."""
    sealed = to_dict(dataclasses.replace(header, seal=seal_of(to_dict(header), tensors)))
    save_tensors(path, tensors, {HEADER: json.dumps(sealed, sort_keys=True, allow_nan=False)})


def read(path: Path) -> tuple[Header, dict[str, Tensor]]:
    """Return an artifact's (header, tensors).

    Raises:
        UserError: there is no such file, or it is not an artifact, damaged, changed, or of another version.
    """
    layout = _layout(path)
    try:
        data = parsed(layout.metadata.get(HEADER, ""))
    except ValueError:
        raise UserError(f"{path} is not an artifact of intdim", "what `intdim export` wrote", "") from None
    for name, version in versions_in_force(data).items():
        if data.get(name) != version:
            raise UserError(
                f"{path} has {name.replace('_', ' ')} {echo(data.get(name))}, this is {version}",
                "an artifact of this version of intdim",
                f"Export the run again; the file was made with {versions_text(data.get('versions'))}.",
            )

    changed = UserError(
        f"{path} was changed after it was written: its seal does not fit its content",
        "the file as `intdim export` wrote it",
        "Export the run again.",
    )
    if not isinstance(data.get("seal"), str):
        raise changed
    try:
        header = Header.of(data)
        if layout.size > BYTES_PER_NUMBER * header.d + MESSAGE_BYTES:
            raise ValueError(f"{layout.size:,} bytes for d={header.d}")
        tensors, _ = load_tensors(path)
        if data["seal"] != seal_of(data, tensors):
            raise changed
        _check_tensors(header, tensors)
    except UserError as error:
        raise (error if error is changed else _hopeless(path, error)) from None
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from None
    except (ValueError, RecursionError) as error:
        raise _hopeless(path, error) from None
    return header, tensors


def _layout(path: Path) -> Layout:
    """Return the outer form of an artifact; raises ``UserError`` where there is none."""
    try:
        return read_layout(path)
    except FileNotFoundError:
        found = False
    except OSError as error:
        found = error.errno == errno.EINVAL and not path.is_dir()  # something that is no plain file
        if not found and error.errno not in (errno.EINVAL, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EISDIR):
            raise _damaged(path, error) from None
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from None
    what = f"{echo(path, 200)} is no plain file" if found else f"there is no file {echo(path, 200)}"
    raise UserError(what, "what `intdim export` wrote", "Check the path.")


def _damaged(path: Path, error: BaseException) -> UserError:
    return UserError(f"{path} is damaged ({echo(error, 200)})", "a whole safetensors file", "Export the run again.")


def _hopeless(path: Path, error: BaseException) -> UserError:
    said = echo(error.parts[0] if isinstance(error, UserError) else error, 200)
    return UserError(f"{path} holds no run that can be rebuilt ({said})", "the file as `intdim export` wrote it", "")


def seal_of(header: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of a header in ``to_dict``'s form, without its seal, and of names, types, shapes and bytes of
    the tensors."""
    unsealed = {name: value for name, value in header.items() if name != "seal"}
    digest = hashlib.sha256(json.dumps(unsealed, sort_keys=True, allow_nan=False).encode())

    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_tensors(header: Header, tensors: dict[str, Tensor]) -> None:
    """Raise ``ValueError`` for tensors that do not fit the header."""
    coded = header.kind == "coded"
    exact_names = {"z", "scales"} if header.subspace.method == "said" else {"z"}
    if set(tensors) != ({"message"} if coded else exact_names):
        raise ValueError(f"tensors {', '.join(sorted(tensors))}")

    dtype = torch.uint8 if coded else torch.float32
    if any(tensor.dtype != dtype or tensor.ndim != 1 for tensor in tensors.values()):
        raise ValueError(f"tensors that are not rows of {dtype}")
    if coded:
        return

    count = sum(tensor.numel() for tensor in tensors.values())
    if count != header.d or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise ValueError(f"{count} numbers for d={header.d}, or some that are not finite")
