"""Folders that ``datasets`` wrote with ``save_to_disk``: one data set, or several with the names of splits.

Such a folder holds Arrow files, ``state.json`` with their names and ``dataset_info.json`` with the kinds of the
columns, from which the names of classes are taken. It is read without ``datasets``, whose import takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from intdim.errors import UserError
from intdim.tasks.echo import listed, plain
from intdim.tasks.files import choose_columns, damaged, empty, frame_of, regular, small_text

WHOLE, PARTS = "state.json", "dataset_dict.json"  # what marks one data set, and a folder of several
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of a stream of Arrow batches; one that was cut lacks it
ALONE = "train"  # what a single data set is called


def is_saved(folder: Path) -> bool:
    """Tell whether ``save_to_disk`` wrote a folder."""
    inside = any(regular(entry / WHOLE) for entry in folder.iterdir() if entry.is_dir())
    return regular(folder / WHOLE) or regular(folder / PARTS) or inside


def splits_of(folder: Path) -> dict[str, Path]:
    """Return the folders of the splits by their names; a single data set is called ``train``."""
    if regular(folder / WHOLE):
        return {ALONE: folder}
    inside = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    listed_names = _json(folder / PARTS).get("splits") if regular(folder / PARTS) else None
    if not isinstance(listed_names, list):
        return {entry.name: entry for entry in inside if regular(entry / WHOLE)}
    missing = [str(name) for name in listed_names if folder / str(name) not in inside]
    if missing:
        fact = f"{folder} lists the split {plain(missing[0])}, whose folder is missing"
        raise UserError(fact, f"Folders there are: {listed(entry.name for entry in inside)}", "Save the data again.")
    return {str(name): folder / str(name) for name in listed_names}


def read_saved(folder: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the wanted columns of one data set (all where none is named), values untouched (dtype object).

    Raises:
        UserError: a file is missing, cut or no Arrow stream, or a column is missing.
    """
    import pyarrow

    state = _json(folder / WHOLE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise damaged(folder / WHOLE, "it chooses rows by a file of indices, as old versions of datasets did")
    files = state.get("_data_files")
    names = [str(one.get("filename", "")) for one in files if isinstance(one, dict)] if isinstance(files, list) else []
    if not names or any(Path(name).name != name for name in names):
        raise damaged(folder / WHOLE, "it lists no files of this folder")
    tables = [_arrow(folder / name) for name in names]
    try:
        table = pyarrow.concat_tables(tables)
        chosen = choose_columns(table.column_names, columns, str(folder)) or tuple(table.column_names)
        frame = frame_of(table, chosen)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise damaged(folder / names[0], plain(str(error).split("\n")[0], 200)) from None
    if not len(frame):
        raise empty(folder)
    return frame


def class_names(folder: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes that the column of labels (the first of ``labels`` that is there) numbers, in
    their order; none where it has none."""
    information = folder / "dataset_info.json"
    features = _json(information).get("features") if regular(information) else None
    if not isinstance(features, dict):
        return ()
    feature = next((features[name] for name in labels if name in features), None)
    if not isinstance(feature, dict) or feature.get("_type") != "ClassLabel":
        return ()
    names = feature.get("names")
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _arrow(file: Path) -> Any:
    """Return the table of one Arrow stream; one that was cut between two batches would look whole but for its end."""
    import pyarrow

    if not regular(file):
        raise UserError(f"{file} is missing", "every file that state.json lists", "Save the data again.")
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - len(END)))
        if opened.read() != END:
            raise damaged(file, "its end is missing")
    try:
        with pyarrow.memory_map(str(file)) as source:
            return pyarrow.ipc.open_stream(source).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise damaged(file, plain(str(error).split("\n")[0], 200)) from None


def _json(file: Path) -> dict[str, Any]:
    if not regular(file):
        raise UserError(f"{file} is missing", "a whole folder of save_to_disk", "Save the data again.")
    try:
        value = json.loads(small_text(file))
    except (ValueError, RecursionError) as error:
        raise damaged(file, str(error)[:100]) from None
    if not isinstance(value, dict):
        raise damaged(file, "it holds no table")
    return value
