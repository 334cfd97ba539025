"""What training and evaluation rows have in common, and an evaluation split held out of the training rows."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd

from intdim.errors import UserError
from intdim.spec import derive_seed

HELD_OUT = "held_out"  # what the evaluation split is called where it was drawn from the training rows
SAME = 0.99  # share of the evaluation rows from which on two splits are one
REPEATED = 0.5  # different texts among the evaluation rows below which they repeat
WORTH_A_WARNING = 0.01
BINS = 10  # of real-valued labels: each gives its share to the evaluation split


def check_names(train: str, evaluation: str) -> None:
    """Raise ``UserError`` where a split that is trained on is also evaluated on; ``a+b`` is two splits."""
    both = [part for part in evaluation.split("+") if part in train.split("+")]
    if both:
        raise UserError(
            f"task.eval_split={evaluation} is trained on: task.train_split={train}",
            "an evaluation split that is not part of the training data",
            "Set task.eval_split to another split, or hold out a part of the training rows with task.holdout=0.1 "
            "and no task.eval_split.",
        )


def keys(table: pd.DataFrame, text: tuple[str, ...]) -> list[str]:
    """Return for each row its text without differences in blanks, case and Unicode form."""
    columns = [[_folded(value) for value in table[name].tolist()] for name in text]
    return ["\n".join(row) for row in zip(*columns, strict=True)]


def check_apart(train: list[str], evaluation: list[str], where: tuple[str, str]) -> None:
    """Raise ``UserError`` where the evaluation rows (as ``keys`` gives them) are training rows.

    Where a few texts are repeated over and over, all of them stand in both splits although no row was copied: that is
    only warned of (``overlap``), unless the splits are the same as a whole.

    Args:
        train: texts of the training rows.
        evaluation: texts of the evaluation rows.
        where: names of the two splits.
    """
    known, different = set(train), len(set(evaluation))
    both = sum(key in known for key in evaluation)
    repeated = different < REPEATED * len(evaluation) and sorted(train) != sorted(evaluation)
    if evaluation and both >= SAME * len(evaluation) and not repeated:
        what = f"all {both:,}" if both == len(evaluation) else f"{both:,} of {len(evaluation):,}"
        raise UserError(
            f"{what} rows of {where[1]} also stand in {where[0]}",
            "an evaluation split that was not trained on",
            "Give other rows, or remove that split and hold out a part of the training rows: task.holdout=0.1.",
        )


def overlap(
    train: list[str], train_labels: np.ndarray, evaluation: list[str], labels: np.ndarray
) -> tuple[float, list[str]]:
    """Return the share of the evaluation rows whose text stands in the training rows, and a warning from 1 % on.

    Args:
        train: texts of the training rows, as ``keys`` gives them.
        train_labels: their labels.
        evaluation: texts of the N evaluation rows.
        labels: their labels.
    """
    known: dict[str, set[float]] = {}
    for key, label in zip(train, train_labels.tolist(), strict=True):
        known.setdefault(key, set()).add(label)
    found = [(key, label) for key, label in zip(evaluation, labels.tolist(), strict=True) if key in known]
    other = sum(label not in known[key] for key, label in found)
    share = len(found) / len(evaluation)
    if share < WORTH_A_WARNING:
        return share, []
    labelled = f", {other:,} of them with another label" if other else ""
    rows = f"{len(found):,} of {len(evaluation):,} evaluation rows ({share:.1%})"
    return share, [f"{rows} also stand in the training rows{labelled}."]


def said_of(held: np.ndarray, count: int, split: str) -> str:
    """Return the sentence that says which rows were held out of ``count``."""
    return (
        f"There is no evaluation split: {len(held):,} of the {count:,} rows of {split} ({len(held) / count:.1%}) are "
        "held out, the same share of each class, by a fixed seed; rows of one text stay together."
    )


def hold_out(texts: list[str], labels: np.ndarray, share: float, classes: bool) -> np.ndarray:
    """Return which rows are held out of training for evaluation, ascending row numbers.

    Each class (of real-valued labels each tenth of their range in ranks) gives the same share of its rows, drawn by a
    fixed seed. Rows of one text go together, so a class may give a few more or fewer; at least one of its texts stays
    in training.

    Args:
        texts: of all rows, as ``keys`` gives them.
        labels: class numbers or scores (N,).
        share: of the rows, in (0, 1).
        classes: the labels are class numbers.
    """
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(text, []).append(row)
    drawn = np.random.default_rng(derive_seed("holdout", len(texts))).permutation(len(groups))
    members = list(groups.values())
    bins = labels if classes else _bins(labels)

    strata: dict[float, list[list[int]]] = {}
    for at in drawn:
        strata.setdefault(bins[members[at][0]].item(), []).append(members[at])
    held: list[int] = []
    for stratum in strata.values():
        wanted = share * sum(map(len, stratum))
        count = 0
        for rows in stratum[:-1]:
            if count + len(rows) / 2 <= wanted:  # nearer to the share with these rows than without
                held += rows
                count += len(rows)
    return np.array(sorted(held), dtype=np.int64)


def _bins(scores: np.ndarray) -> np.ndarray:
    ranks = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
    return ranks * BINS // len(scores)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
