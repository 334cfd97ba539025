"""What a reader should know of a task's data: gathered while it is prepared, told where a number is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from intdim.spec import DataFacts, from_dict
from intdim.tasks.sources import Tables

TRUNCATED = 0.05  # share of cut examples from which on a reader is warned
AT_MOST_CUT = 0.01  # share that the advised length would cut
FEW_TO_TRAIN, FEW_TO_SCORE = 50, 100  # examples below which a reader is warned
NO_LIMIT = 1 << 30  # tokens: tokenizers without a limit give a far larger number


def facts_of(tables: Tables) -> DataFacts:
    """Return what reading found out; what depends on lengths and the model is added by ``data_facts``."""
    return DataFacts(
        text=tables.text,
        label=tables.label,
        classes=tables.label_names,
        positive=tables.positive,
        overlap=tables.overlap,
        notes=tables.notes,
        warnings=tables.warnings,
    )


def histogram(lengths: np.ndarray) -> list[list[int]]:
    """Return [[length, how many examples], ...] of whole lengths (N,), ascending."""
    values, counts = np.unique(lengths, return_counts=True)
    return [[int(value), int(count)] for value, count in zip(values, counts, strict=True)]


def data_facts(manifest: dict[str, Any], positions: int) -> DataFacts:
    """Return the facts of a prepared task.

    Args:
        manifest: of the prepared task.
        positions: the number of tokens that the model takes at most; 0: it has no limit.
    """
    longest = min(manifest["longest"], positions or NO_LIMIT)
    limit = manifest["spec"]["max_length"]
    values, counts = np.array(manifest["whole_lengths"], dtype=np.int64).T
    total, below = int(counts.sum()), np.cumsum(counts)
    cut = int(counts[values > limit].sum())
    wanted = int(values[np.searchsorted(below, total - int(total * AT_MOST_CUT))])
    advised = min(wanted, longest)
    remaining = int(counts[values > advised].sum())

    found = from_dict(DataFacts, manifest["data"])
    return dataclasses.replace(
        found,
        truncated=round(cut / total, 6),
        median_tokens=int(values[np.searchsorted(below, (total + 1) // 2)]),
        length_for_1_percent=advised,
        warnings=(
            *found.warnings,
            *_too_few(manifest["counts"]),
            *_too_short(cut / total, limit, advised, remaining / total),
        ),
    )


def _too_few(counts: dict[str, Any]) -> list[str]:
    """Return a warning for each split that is too small for its numbers to say much."""
    train, scored = counts["train"]["examples"], counts["evaluation"]["examples"]
    said = []
    if train < FEW_TO_TRAIN:
        said.append(
            f"There are {train} training examples; of fewer than {FEW_TO_TRAIN}, chance decides what is learnt."
        )
    if scored < FEW_TO_SCORE:
        said.append(
            f"There are {scored} evaluation examples; with fewer than {FEW_TO_SCORE}, scores are coarse and the "
            "interval of d90 is wide."
        )
    return said


def _too_short(share: float, limit: int, advised: int, remaining: float) -> list[str]:
    """Return a warning where many examples are cut, with the length that would cut few."""
    if share < TRUNCATED:
        return []
    said = f"{share:.1%} of the examples are longer than task.max_length={limit} and were cut"
    if remaining <= AT_MOST_CUT:
        return [f"{said}; task.max_length={advised} would cut {remaining:.1%}."]
    if advised <= limit:
        return [f"{said}; this model takes no longer ones."]
    return [f"{said}; task.max_length={advised}, the most this model takes, would still cut {remaining:.1%}."]
