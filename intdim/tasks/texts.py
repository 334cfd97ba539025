"""What a text column must hold: a text in every row, in valid Unicode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from intdim.errors import UserError
from intdim.tasks.echo import quoted


def check_text(frame: pd.DataFrame, text: tuple[str, ...], split: str) -> None:
    """Check the text columns of a split.

    Raises:
        UserError: there are no rows, a cell is empty or holds no text, or a row has blanks alone.
    """
    count = len(frame)
    if not count:
        raise UserError(f"the split {split} has no rows", "at least a few examples", "Check the data.")
    blank = np.ones(count, dtype=bool)
    for name in text:
        values = frame[name].tolist()
        absent = [row for row, value in enumerate(values, start=1) if _is_null(value)]
        if len(absent) == count:
            raise UserError(
                f"the text column {quoted(name)} of {split} is empty in all {count} rows",
                "text",
                "Name another with task.text=[...].",
            )
        if absent:
            raise UserError(
                f"the text column {quoted(name)} of {split} is empty in {len(absent)} of {count} rows "
                f"(first: row {absent[0]})",
                "a text in every row",
                "Remove those rows, or fill them.",
            )
        for row, value in enumerate(values, start=1):
            if not isinstance(value, str):
                raise UserError(
                    f"the column {quoted(name)} of {split} holds a {type(value).__name__} in row {row}: "
                    f"{quoted(str(value))}",
                    "text",
                    "Name the text columns with task.text=[...].",
                )
            if not _is_unicode(value):
                raise UserError(
                    f"the text of row {row} of {split} (column {quoted(name)}) holds half of a surrogate pair",
                    "valid Unicode",
                    "Repair that row.",
                )
        blank &= np.array([not value.strip() for value in values])
    if blank.any():
        first = int(np.flatnonzero(blank)[0]) + 1
        raise UserError(
            f"{int(blank.sum())} of {count} rows of {split} have only blank text (first: row {first})",
            "a text in every row",
            "Remove those rows, or fill them.",
        )


def _is_null(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
