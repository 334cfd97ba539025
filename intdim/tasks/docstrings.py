"""The three built-in tasks: rows that are files of the package (``intdim/assets/tasks``, whose README says more).

``docstrings-package``: which package a docstring comes from, with the names that give it away masked.
``docstrings-pair``: does this summary describe this signature; half of the pairs are mismatched within a package.
``docstrings-kind``: does a docstring describe a function or a class, with the words that say so masked.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet

FOLDER = Path(__file__).parents[1] / "assets" / "tasks"
NAMES = ("docstrings-package", "docstrings-pair", "docstrings-kind")
SPLITS = ("train", "validation")


def load(name: str) -> dict[str, pd.DataFrame]:
    """Return the splits ``train`` and ``validation`` of a built-in task; the column ``label`` holds class numbers.

    No text occurs twice, and none stands in the corpus that the built-in model was pre-trained on.
    """
    return {split: pd.read_parquet(_file(name, split)) for split in SPLITS}


def label_names(name: str) -> tuple[str, ...]:
    """Return the classes of a built-in task in the order of their numbers."""
    return tuple(json.loads(pyarrow.parquet.read_schema(_file(name, SPLITS[0])).metadata[b"label_names"]))


def _file(name: str, split: str) -> Path:
    return FOLDER / name / f"{split}.parquet"
