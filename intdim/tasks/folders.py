"""A task from a folder of the user's own: files named train, validation or test, or what ``save_to_disk`` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from intdim.errors import UserError
from intdim.tasks import saved
from intdim.tasks.echo import listed, plain
from intdim.tasks.files import FORMATS, NAMES, read_file, regular, spellings
from intdim.tasks.splits import HELD_OUT

OTHERS = ("dev", "valid", "val", "eval", "test")  # what an evaluation split is often called


@dataclass(frozen=True)
class Rows:
    """Rows as they stand in a source, the names of the splits that were read, and the classes' names where the source
    gives them. ``evaluation`` is None where it is still to be held out of ``train``."""

    train: pd.DataFrame
    evaluation: pd.DataFrame | None
    label_names: tuple[str, ...]
    train_split: str
    eval_split: str


def read_folder(
    path: str, columns: tuple[str, ...], label: str, train_split: str, eval_split: str, holdout: float = 0.0
) -> Rows:
    """Read both splits from a folder, or the training split alone where the other is to be held out of it.

    Of a split ``validation_matched | validation`` the first is taken that there are files for, ``train_r1+train_r2``
    being two of them.

    Args:
        path: of the folder.
        columns: the wanted ones (``a | b``: the first of these that is there); none means all.
        label: the column of labels, whose classes a saved data set names.
        train_split: what the training split is called.
        eval_split: what the evaluation split is called.
        holdout: share that will be held out; 0: the evaluation split must be there.

    Raises:
        UserError: no such folder, no such file, two formats of one split, a damaged file, a missing column, or an
            evaluation split beside ``holdout``.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        what = "is a file" if folder.is_file() else what
        allowed = f"a folder with train.* and validation.* ({NAMES})"
        raise UserError(f"task.path={plain(path, 200)} {what}", allowed, "Check the path.")
    kept = saved.splits_of(folder) if saved.is_saved(folder) else None
    train, train_parts = _parts(folder, kept, train_split)
    if holdout:
        _check_none(folder, kept, eval_split)
        evaluation, eval_parts = HELD_OUT, list[Path]()
    else:
        evaluation, eval_parts = _parts(folder, kept, eval_split)

    tables = [_read_all(parts, columns, label, kept is not None) for parts in (train_parts, eval_parts)]
    names = _class_names([*train_parts, *eval_parts], label) if kept is not None else ()
    return Rows(tables[0], tables[1] if eval_parts else None, names, train, evaluation)


def _parts(folder: Path, kept: Mapping[str, Path] | None, split: str) -> tuple[str, list[Path]]:
    """Return the name under which a split is there, and its files or saved folders."""
    wanted = spellings(split)[1:] or [split]
    for name in wanted:
        parts = [_one(folder, kept, part) for part in name.split("+")]
        if all(parts):
            return name, [part for part in parts if part is not None]
    there = sorted(kept) if kept is not None else _shown(folder)
    what, unit = ("split", "Splits") if kept is not None else (f"file ({NAMES})", "Files")
    names, stem = " or ".join(wanted), wanted[-1].partition("+")[0]
    advice = "Save it with that split." if kept is not None else f"Put {stem}.csv (or .tsv, .jsonl, .parquet) into it."
    if stem == "validation":
        other = next((name for name in OTHERS if _one(folder, kept, name) is not None), "")
        other = f"write task.eval_split={other} to score on the {other} split, " if other else ""
        advice = f"{advice[:-1]}, {other}or hold out a tenth of the training rows: task.holdout=0.1."
    listing = f"{unit} there are: {listed(there) or 'none'}"
    raise UserError(f"task.path={plain(str(folder), 200)} has no {names} {what}", listing, advice)


def _check_none(folder: Path, kept: Mapping[str, Path] | None, split: str) -> None:
    """Raise ``UserError`` where there is an evaluation split although one is to be held out."""
    for name in spellings(split)[1:] or [split]:
        if all(_one(folder, kept, part) is not None for part in name.split("+")):
            raise UserError(
                f"task.holdout is given, and task.path={plain(str(folder), 200)} has the split {plain(name)}",
                "task.holdout where there is no evaluation split",
                "Drop task.holdout to score on that split, or move it out of the folder.",
            )


def _one(folder: Path, kept: Mapping[str, Path] | None, split: str) -> Path | None:
    if kept is not None:
        return kept.get(split)
    there = [file for file in (folder / f"{split}{suffix}" for suffix in FORMATS) if regular(file)]
    if len(there) > 1:
        raise UserError(
            f"{plain(str(folder), 200)} has {len(there)} files for {split}: {', '.join(file.name for file in there)}",
            "one file for each split",
            "Keep one of them.",
        )
    return there[0] if there else None


def _read_all(parts: list[Path], columns: tuple[str, ...], label: str, kept: bool) -> pd.DataFrame:
    frames = [saved.read_saved(part, columns) if kept else read_file(part, columns, label) for part in parts]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _class_names(parts: list[Path], label: str) -> tuple[str, ...]:
    """Return the classes that saved splits name.

    Raises:
        UserError: two splits name them differently, so that one number is two classes.
    """
    named = [names for names in (saved.class_names(part, spellings(label)) for part in parts) if names]
    if any(names != named[0] for names in named):
        raise UserError(
            f"saved splits number their classes differently: {listed(named[0], 4)} and "
            f"{listed(next(names for names in named if names != named[0]), 4)}",
            "the same classes in the same order in all splits",
            "Save the data again with one list of classes.",
        )
    return named[0] if named else ()


def _shown(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
