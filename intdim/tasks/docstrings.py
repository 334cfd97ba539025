"""The three built-in tasks, made from the task half of the docstring corpus.

``docstrings-package``: which package a docstring comes from, with the names that give it away masked.
``docstrings-pair``: does this summary describe this signature; half of the pairs are mismatched within a package.
``docstrings-kind``: does a docstring describe a function or a class, with the words that say so masked.
"""

from __future__ import annotations

import ast
import re

import numpy as np
import pandas as pd

from intdim.pretrain import docstrings as corpus
from intdim.pretrain.docstrings import Docstring

NAMES = ("docstrings-package", "docstrings-pair", "docstrings-kind")
SEED = 2012_13255  # fixed: the tasks are the same for everyone with the same packages
WORDS = 20  # a text is cut after so many words: the summary and what follows it
MOST = {"train": 1400, "validation": 420}  # rows of one package, so that no class is much larger than the others

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
SUMMARY_WORDS = 24
SIGNATURE_WORDS = 40


def load(name: str) -> dict[str, pd.DataFrame]:
    """Return the splits ``train`` and ``validation`` of a built-in task; the column ``label`` holds class numbers.

    No text occurs twice, and none that stands in the pre-training half occurs at all.
    """
    made = {"docstrings-package": _package_rows, "docstrings-pair": _pair_rows, "docstrings-kind": _kind_rows}[name]
    visible = {"docstrings-package": masked, "docstrings-pair": summary_of, "docstrings-kind": kind_masked}[name]
    parts: dict[str, list[Docstring]] = {"pretrain": [], "train": [], "validation": []}
    for one in corpus.docstrings():
        parts[corpus.part_of(one.module)].append(one)
    seen: set[str] = set()
    splits = {}
    for number, (part, members) in enumerate(parts.items()):
        fresh = []
        for one in members:
            normal = re.sub(r"\W+", " ", visible(one.text).lower()).strip()
            if normal not in seen:
                seen.add(normal)
                fresh.append(one)
        if part != "pretrain":
            chooser = np.random.default_rng([SEED, NAMES.index(name), number])
            rows = made(fresh, MOST[part], chooser)
            splits[part] = rows.iloc[chooser.permutation(len(rows))].reset_index(drop=True)
    return splits


def label_names(name: str) -> tuple[str, ...]:
    """Return the classes of a built-in task in the order of their numbers."""
    return {
        "docstrings-package": corpus.PACKAGES,
        "docstrings-pair": ("mismatched", "matching"),
        "docstrings-kind": ("function", "class"),
    }[name]


def signature_words(signature: str) -> str:
    """Return a signature as words: ``read_csv(file_path, nRows: int = 3)`` gives ``read csv ( file path, n Rows )``."""
    name, bracket, rest = signature.partition("(")
    if not bracket:
        return _split(name)
    try:
        made = ast.parse(f"def made({rest}: ...").body[0]
        assert isinstance(made, ast.FunctionDef)
        given = made.args
        starred = [one for one in (given.vararg, given.kwarg) if one]
        names = [one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]]
    except SyntaxError:  # written by hand, as in ``empty(*size, out=None) or (a | b)``
        names = [part.partition("=")[0].strip(" *") for part in rest.partition(")")[0].split(",")]
    kept = ", ".join(_split(one) for one in names if one.isidentifier() and one not in ("self", "cls"))
    return f"{_split(name)} ( {kept} )"


def summary_of(text: str) -> str:
    """Return the first paragraph of a docstring as one line of at most ``SUMMARY_WORDS`` words."""
    return " ".join(text.split("\n\n")[0].split()[:SUMMARY_WORDS])


def masked(text: str) -> str:
    """Return the beginning of a docstring without examples and without words that give the package away."""
    return GIVEAWAYS.sub("thing", _beginning(text))


def kind_masked(text: str) -> str:
    """Return the beginning of a docstring without examples and without words that say what kind of thing it is."""
    return KINDS.sub("thing", _beginning(text))


def _beginning(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.strip().startswith((">>>", "...", "# "))]
    return " ".join(" ".join(lines).split()[:WORDS])


def _split(name: str) -> str:
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " ")).split())


def _package_rows(chosen: list[Docstring], most: int, chooser: np.random.Generator) -> pd.DataFrame:
    rows = []
    for label, package in enumerate(corpus.PACKAGES):
        texts = sorted({masked(one.text) for one in chosen if one.package == package and len(one.text.split()) >= 8})
        picked = chooser.permutation(len(texts))[:most]
        rows += [(texts[at], label) for at in sorted(picked)]
    return pd.DataFrame(rows, columns=["text", "label"])


def _pair_rows(chosen: list[Docstring], most: int, chooser: np.random.Generator) -> pd.DataFrame:
    rows = []
    for package in corpus.PACKAGES:
        pairs = [
            (summary_of(one.text), " ".join(signature_words(one.signature).split()[:SIGNATURE_WORDS]))
            for one in chosen
            if one.package == package
            and one.kind == "function"
            and not one.qualname.rpartition(".")[2].startswith("__")
        ]
        pairs = [(summary, words) for summary, words in pairs if len(summary.split()) >= 4 and "( )" not in words]
        picked = [pairs[at] for at in chooser.permutation(len(pairs))[: 2 * most]]
        half = len(picked) // 2
        # a mismatched pair takes the signature of the next one in the same package, so both sides look alike
        shifted = [(picked[at][0], picked[(at + 1) % half][1]) for at in range(half)]
        rows += [(*pair, 0) for pair in shifted] + [(*pair, 1) for pair in picked[half : 2 * half]]
    return pd.DataFrame(rows, columns=["summary", "signature", "label"])


def _kind_rows(chosen: list[Docstring], most: int, chooser: np.random.Generator) -> pd.DataFrame:
    """Each package gives as many functions as classes, so that knowing the package does not help."""
    rows = []
    for package in corpus.PACKAGES:
        # a docstring that begins with its own name or signature says what it is
        plain = [one for one in chosen if one.package == package and not _names_itself(one)]
        texts = [sorted({kind_masked(one.text) for one in plain if one.kind == kind}) for kind in ("function", "class")]
        fewer = min(most, *map(len, texts))
        rows += [
            (found[at], label) for label, found in enumerate(texts) for at in chooser.permutation(len(found))[:fewer]
        ]
    return pd.DataFrame(rows, columns=["text", "label"])


def _names_itself(one: Docstring) -> bool:
    words = one.text.split()
    return len(words) < 4 or words[0].partition("(")[0].rpartition(".")[2] == one.qualname.rpartition(".")[2]
