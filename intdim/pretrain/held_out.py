"""What pre-training must not read: docstrings that stand in a row of a built-in task.

The rows are fixed files, the corpus comes from whatever versions are installed. Dividing both by module keeps them
apart as long as no docstring moves or is copied; this file makes sure of it. A row shows a docstring in part, its
beginning with telling words masked or its first paragraph, and is compared as such.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from intdim.tasks import docstrings as tasks

WORDS = 20  # a text is cut after so many words: the summary and what follows it
SUMMARY_WORDS = 24

# Names that would give the package away, as whole words or as the first part of a dotted name.
GIVEAWAYS = re.compile(
    r"\b(?:py)?torch\w*(?:\.\w+)*|\b(?:numpy|np|pandas|pd|matplotlib|mpl|plt|pyplot|pylab|python|cpython|scipy|caffe2|aten|"
    r"inductor|dynamo|cuda|nccl|onnx|dtensor|fsdp)\b(?:\.\w+)*|"
    r"\b(?:n?d?arrays?|ndarrays?|dataframes?|series|tensors?|axes|axis|artists?|nn\.module|modules?)\b",
    re.IGNORECASE,
)
# Words that would give away whether a function or a class is described.
KINDS = re.compile(
    r"\b(?:(?:sub|base|meta|data)?class(?:es)?|functions?|methods?|constructors?|instances?|objects?)\b", re.IGNORECASE
)


def package_masked(text: str) -> str:
    """Return the beginning of a docstring without examples and without words that give the package away."""
    return GIVEAWAYS.sub("thing", _beginning(text))


def kind_masked(text: str) -> str:
    """Return the beginning of a docstring without examples and without words that say what kind of thing it is."""
    return KINDS.sub("thing", _beginning(text))


def summary_of(text: str) -> str:
    """Return the first paragraph of a docstring as one line of at most ``SUMMARY_WORDS`` words."""
    return " ".join(text.partition("\n\n")[0].split()[:SUMMARY_WORDS])


# What a row of a task shows of a docstring, and in which column.
SHOWN: dict[str, tuple[str, Callable[[str], str]]] = {
    "docstrings-package": ("text", package_masked),
    "docstrings-pair": ("summary", summary_of),
    "docstrings-kind": ("text", kind_masked),
}


def normal(text: str) -> str:
    """Return a text as words in lower case: what two texts are compared by."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def in_a_task(text: str) -> bool:
    """True where a row of a built-in task shows this docstring."""
    return any(normal(shown(text)) in _rows(name) for name, (_, shown) in SHOWN.items())


@functools.cache
def _rows(name: str) -> frozenset[str]:
    column, _ = SHOWN[name]
    return frozenset(normal(text) for rows in tasks.load(name).values() for text in rows[column])


def _beginning(text: str) -> str:
    words: list[str] = []
    for line in text.splitlines():
        if not line.strip().startswith((">>>", "...", "# ")):
            words += line.split()
        if len(words) >= WORDS:
            break
    return " ".join(words[:WORDS])
