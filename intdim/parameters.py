"""Which weights are inside the subspace: names, offsets, ties, groups, and D.

A table is made from any ``nn.Module``. A tied weight counts once; a weight is outside if it is frozen, excluded by a
name pattern, or not a floating-point tensor. Weights are ordered by layer (embeddings, blocks in the order of the
model, head), so that the weights of a layer are contiguous in the flat vector.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from intdim.errors import UserError

EMBEDDING_WORDS = re.compile(r"embed|\bwte\b|\bwpe\b|\bshared\b|position|rel_pos|\bmask_emb\b")
# A kind; or the group's name for a weight's name; or patterns on weight names, for each group, or one for each group
Groups = str | Callable[[str], str] | Mapping[str, str | Sequence[str]] | Sequence[str]
HEAD_WORDS = re.compile(r"classif|pooler|\bhead\b|_head\b|\bscore\b|summary|logits")


@dataclass(frozen=True)
class Entry:
    """One weight inside the subspace: it is ``flat[offset : offset + numel].view(shape)``."""

    name: str
    layer: str
    shape: torch.Size
    numel: int
    offset: int

    @property
    def place(self) -> slice:
        """The slice of the flat vector that is this weight."""
        return slice(self.offset, self.offset + self.numel)


@dataclass(frozen=True)
class Group:
    """Weights that share a scale under SAID; ``slices`` are (start, stop) in the flat vector, in order."""

    name: str
    slices: tuple[tuple[int, int], ...]

    @property
    def numel(self) -> int:
        """How many weights are in the group."""
        return sum(stop - start for start, stop in self.slices)


class ParameterTable:
    """The weights inside the subspace, in a fixed order."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.D = sum(entry.numel for entry in entries)

    @classmethod
    def of(cls, model: nn.Module, exclude: Sequence[str] = ()) -> ParameterTable:
        """Make the table of a model.

        Args:
            model: any module; weights with ``requires_grad=False`` are outside.
            exclude: shell patterns on weight names (``bert.pooler.*``); a tied weight has its first name.

        Raises:
            UserError: a pattern matches nothing, no weight is left inside, or two weights share memory without being
                one ``nn.Parameter`` (in the flat vector they would no longer be tied).
        """
        named = list(model.named_parameters())
        for pattern in exclude:
            if not any(fnmatch.fnmatchcase(name, pattern) for name, _ in named):
                first = ", ".join(name for name, _ in named[:4])
                raise UserError(
                    f"subspace.exclude pattern {pattern!r} matches no weight of the model",
                    f"patterns must match names such as {first}",
                    "Correct or remove the pattern.",
                )

        inside = [
            (name, weight)
            for name, weight in named
            if weight.requires_grad
            and weight.is_floating_point()
            and not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)
        ]
        if not inside:
            raise UserError(
                "no weight is left inside the subspace",
                "at least one weight must be trainable and not excluded",
                "Exclude or freeze fewer.",
            )
        _refuse_shared_memory(inside)

        layers = layer_names([name for name, _ in inside])
        blocks = [layer for layer in dict.fromkeys(layers) if layer not in ("embeddings", "head")]
        rank = {layer: number for number, layer in enumerate(("embeddings", *blocks, "head"))}
        ordered = sorted(zip(layers, inside, strict=True), key=lambda pair: rank[pair[0]])  # stable
        entries, offset = [], 0
        for layer, (name, weight) in ordered:
            entries.append(Entry(name, layer, weight.shape, weight.numel(), offset))
            offset += weight.numel()

        return cls(entries)

    def groups(self, by: Groups) -> list[Group]:
        """Return the groups of weights, in flat order, without gaps or overlaps.

        Args:
            by: ``layer``: the embeddings, each block, and pooler with head; ``module``: the weights of one module;
                ``tensor``: each weight alone. Or a function that returns a group's name for a weight's name; or shell
                patterns on weight names, as ``{group: pattern or patterns}`` or as a list with one pattern for each
                group. A weight belongs to the first group with a pattern that matches.

        Raises:
            UserError: another kind; a name that is no string; a weight that no pattern matches, or the reverse.
        """
        slices: dict[str, list[tuple[int, int]]] = {}
        for key, entry in zip(self._keys(by), self.entries, strict=True):
            found = slices.setdefault(key, [])
            start, stop = entry.offset, entry.offset + entry.numel
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((start, stop))
        return [Group(key, tuple(found)) for key, found in slices.items()]

    def _keys(self, by: Groups) -> list[str]:
        """Return the name of each weight's group, in flat order."""
        if by == "layer":
            return [entry.layer for entry in self.entries]
        if by == "module":
            return [entry.name.rpartition(".")[0] or "(root)" for entry in self.entries]
        if by == "tensor":
            return [entry.name for entry in self.entries]
        if callable(by):
            return _called(by, [entry.name for entry in self.entries])
        if isinstance(by, Mapping) or (isinstance(by, Sequence) and not isinstance(by, str)):
            return _matched(by, [entry.name for entry in self.entries])
        raise UserError(
            f"unknown subspace.groups={by!r}",
            "layer, module or tensor; in Python also a function of a weight's name, or patterns",
            "Choose one of these.",
        )


def _called(function: Callable[[str], str], names: Sequence[str]) -> list[str]:
    """Return what a user's function makes of each name."""
    made = [function(name) for name in names]
    for name, key in zip(names, made, strict=True):
        if not isinstance(key, str):
            raise UserError(
                f"groups= gives {key!r} for {name}", "a function that returns a group's name, a string", "Correct it."
            )
    return made


def _matched(by: Mapping[str, str | Sequence[str]] | Sequence[str], names: Sequence[str]) -> list[str]:
    """Return for each name the first group with a pattern that matches it."""
    table = by if isinstance(by, Mapping) else {pattern: pattern for pattern in by}
    patterns = [
        (str(group), pattern)
        for group, wanted in table.items()
        for pattern in ([wanted] if isinstance(wanted, str) else wanted)
    ]
    made = [next((key for key, pattern in patterns if fnmatch.fnmatchcase(name, pattern)), None) for name in names]
    found = [key for key in made if key is not None]
    if len(found) < len(names):
        left = [name for name, key in zip(names, made, strict=True) if key is None]
        raise UserError(
            f"no pattern of groups= matches {len(left)} of {len(names)} weights: {', '.join(left[:3])}",
            "patterns that together match every weight inside the subspace",
            'Add "*" as the last one, for all the others.',
        )
    idle = [key for key, _ in patterns if key not in found]
    if idle:
        raise UserError(
            f"group {idle[0]!r} of groups= has no weights",
            f"patterns on names such as {', '.join(names[:3])}; the first that matches counts",
            "Correct or remove it.",
        )
    return found


def layer_names(names: Sequence[str]) -> list[str]:
    """Return the layer of each weight: its block (the name up to the first number), ``embeddings``, or ``head``.

    A weight outside the blocks belongs to the embeddings if its name says so, or if it comes before the first block
    and its name does not say head; otherwise to the head (pooler, final norms, classifier). The order alone does not
    decide, because some models define their classifier before their body.
    """
    numbered = [re.match(r"(?:.*?\.)?\d+(?=\.|$)", name) for name in names]
    first_block = next((index for index, match in enumerate(numbered) if match), 0)
    layers = []
    for index, (name, match) in enumerate(zip(names, numbered, strict=True)):
        if match:
            layers.append(match.group(0))
        elif EMBEDDING_WORDS.search(name) or (index < first_block and not HEAD_WORDS.search(name)):
            layers.append("embeddings")
        else:
            layers.append("head")
    return layers


def _refuse_shared_memory(named: Sequence[tuple[str, nn.Parameter]]) -> None:
    seen: dict[tuple[torch.device, int], str] = {}
    for name, weight in named:
        if weight.numel() == 0 or weight.is_meta:
            continue
        other = seen.setdefault((weight.device, weight.data_ptr()), name)
        if other != name:
            raise UserError(
                f"{name} and {other} share memory but are two parameters",
                "tied weights must be one nn.Parameter in both modules",
                "Tie them by assignment: module_a.weight = module_b.weight.",
            )
