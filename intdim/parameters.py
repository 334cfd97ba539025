"""Which weights are inside the subspace: names, offsets, ties, groups, and D.

A table is made from any ``nn.Module``. A tied weight counts once; a weight that is frozen, excluded by a name pattern
or not a floating-point tensor is outside. The order is that of layers (embeddings, blocks as they come, head), so that
every layer's weights are contiguous in the flat vector.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from intdim.errors import UserError

EMBEDDING_WORDS = re.compile(r"embed|\bwte\b|\bwpe\b|\bshared\b|position|rel_pos|\bmask_emb\b")
HEAD_WORDS = re.compile(r"classif|pooler|\bhead\b|_head\b|\bscore\b|summary|logits")


@dataclass(frozen=True)
class Entry:
    """One weight inside the subspace: its place is ``flat[offset : offset + numel].view(shape)``."""

    name: str
    layer: str
    shape: torch.Size
    numel: int
    offset: int

    @property
    def place(self) -> slice:
        """Where the weight lies in the flat vector."""
        return slice(self.offset, self.offset + self.numel)


@dataclass(frozen=True)
class Group:
    """Weights that share a scale under SAID; ``slices`` are (start, stop) in the flat vector, in order."""

    name: str
    slices: tuple[tuple[int, int], ...]

    @property
    def numel(self) -> int:
        """How many weights the group holds."""
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
            model: any module; weights with ``requires_grad`` False are outside.
            exclude: shell patterns on weight names (``bert.pooler.*``); a tied weight is known by its first name.

        Raises:
            UserError: a pattern matches nothing, nothing is left inside, or two weights share memory without being
                one ``nn.Parameter`` (moving them apart would undo that tie).
        """
        named = list(model.named_parameters())
        for pattern in exclude:
            if not any(fnmatch.fnmatchcase(name, pattern) for name, _ in named):
                first = ", ".join(name for name, _ in named[:4])
                raise UserError(
                    f"subspace.exclude pattern {pattern!r} matches no weight of the model",
                    f"patterns on names such as {first}",
                    "Correct or drop the pattern.",
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
                "no weight is left inside the subspace", "at least one trainable weight", "Exclude or freeze fewer."
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

    def groups(self, kind: str) -> list[Group]:
        """Return the groups of a kind: ``layer`` (embeddings; each block; pooler and head), ``module`` (weights of one
        module), or ``tensor`` (each weight alone); in flat order, without gaps or overlaps."""
        if kind == "layer":
            keys = [entry.layer for entry in self.entries]
        elif kind == "module":
            keys = [entry.name.rpartition(".")[0] or "(root)" for entry in self.entries]
        elif kind == "tensor":
            keys = [entry.name for entry in self.entries]
        else:
            raise UserError(f"unknown subspace.groups={kind!r}", "layer, module or tensor", "")
        slices: dict[str, list[tuple[int, int]]] = {}
        for key, entry in zip(keys, self.entries, strict=True):
            mine = slices.setdefault(key, [])
            start, stop = entry.offset, entry.offset + entry.numel
            if mine and mine[-1][1] == start:
                mine[-1] = (mine[-1][0], stop)
            else:
                mine.append((start, stop))
        return [Group(key, tuple(places)) for key, places in slices.items()]


def layer_names(names: Sequence[str]) -> list[str]:
    """Return each weight's layer: its block (the name up to the first number), ``embeddings``, or ``head``.

    A weight outside the blocks belongs to the embeddings if its name says so, or if it comes before the first block
    and its name does not say head; else to the head (pooler, final norms, classifier). Some models name their
    classifier before their body, so the order alone does not decide.
    """
    numbered = [re.match(r"(?:.*?\.)?\d+(?=\.|$)", name) for name in names]
    first_block = next((place for place, match in enumerate(numbered) if match), 0)
    layers = []
    for place, (name, match) in enumerate(zip(names, numbered, strict=True)):
        if match:
            layers.append(match.group(0))
        elif EMBEDDING_WORDS.search(name) or (place < first_block and not HEAD_WORDS.search(name)):
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
                "tied weights that are one nn.Parameter in both modules",
                "Tie them by assignment: module_a.weight = module_b.weight.",
            )
