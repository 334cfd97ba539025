"""Make ``intdim/assets/tasks`` again: the rows of the three built-in tasks, from docstrings of the installed packages.

    python scripts/make_tasks.py
    python scripts/make_tasks.py --out DIR

About a minute. The versions of ``constraints.txt`` on Python 3.11.7 give the shipped rows; others give other rows, that
is, other tasks: raise ``version`` in ``conf/task/docstrings-*.yaml`` before shipping them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from intdim import durable
from intdim.pretrain import docstrings as corpus
from intdim.pretrain.docstrings import Docstring, signature_words
from intdim.pretrain.held_out import SHOWN, SUMMARY_WORDS, WORDS, kind_masked, normal, package_masked, summary_of
from intdim.tasks import docstrings

SEED = 2012_13255  # fixed: the same packages give the same rows
MOST = {"train": 1400, "validation": 420}  # rows of one package, so that no class is much larger than the others
SIGNATURE_WORDS = 40
LABEL_NAMES = {
    "docstrings-package": corpus.PACKAGES,
    "docstrings-pair": ("mismatched", "matching"),
    "docstrings-kind": ("function", "class"),
}

README = """# The built-in tasks

Three classification tasks made of docstrings, for trying `intdim` without a network. They are data: what is installed
on a machine does not change them.

| task | question | train | validation | classes |
|---|---|---|---|---|
{table}

* **Rows**: `<task>/train.parquet` and `<task>/validation.parquet` with one or two columns of text and the number of the
  class in `label`; the names of the classes stand under `label_names` in the schema's metadata. Together {size:.2f} MB.
* **What a row shows**: at most {words} words of a docstring with the telling ones masked (docstrings-package,
  docstrings-kind), or at most {summary_words} of its first paragraph, and a signature as words (docstrings-pair).
* **Which docstrings**: modules are divided by a hash of their name; half are left to pre-training, and the rest is
  divided 3 to 1 into train and validation. No text occurs twice, and none is in the corpus of the built-in model.
* **Made from** {versions} (also in `versions.json`).
* **Made again by** `python scripts/make_tasks.py`, which also writes this file. The same versions give the same rows.

**Licences and attribution.** The rows are short extracts from the documentation of five projects, cut after a few
words, partly masked, and with signatures written as words. They belong to the authors of these projects and stay
under their licences, whose texts are in `licences`:

* the Python standard library (python.org): Python Software Foundation License, © Python Software Foundation;
* NumPy (numpy.org): BSD 3-Clause, © NumPy Developers;
* pandas (pandas.pydata.org): BSD 3-Clause, © AQR Capital Management, LLC, Lambda Foundry, Inc. and PyData Development
  Team, and open source contributors;
* Matplotlib (matplotlib.org): the Matplotlib licence, based on that of the PSF, © John D. Hunter and Matplotlib
  Development Team;
* PyTorch (pytorch.org): BSD-style (3-Clause), © its contributors, whom its licence names.

In docstrings-package the label says which project a row is from.
"""
QUESTIONS = {
    "docstrings-package": "Which package does a docstring come from? Names that give it away are masked.",
    "docstrings-pair": "Does this summary describe this signature? Half of the pairs are mismatched within a package.",
    "docstrings-kind": "Does a docstring describe a function or a class? Words that say so are masked.",
}


def main() -> None:
    """Write rows, versions and README."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=docstrings.FOLDER, help="the folder to write, instead of the shipped"
    )
    folder = parser.parse_args().out
    counts = write(folder)
    print("\n".join(f"{name}: {count['train']:,} + {count['validation']:,} rows" for name, count in counts.items()))
    print(folder)


def write(folder: Path) -> dict[str, dict[str, int]]:
    """Write the folder of the tasks; return how many rows each split has."""
    tables = {name: {split: table(rows, name) for split, rows in make(name).items()} for name in docstrings.NAMES}
    for name, splits in tables.items():
        for split, made in splits.items():
            durable.write_bytes(folder / name / f"{split}.parquet", parquet(made))
    durable.write_json(folder / "versions.json", versions())
    for package in corpus.PACKAGES:
        durable.write_text(folder / "licences" / f"{package}.txt", licence(package))
    counts = {name: {split: made.num_rows for split, made in splits.items()} for name, splits in tables.items()}
    durable.write_text(folder / "README.md", readme(folder, counts))
    return counts


def make(name: str) -> dict[str, pd.DataFrame]:
    """Return the splits ``train`` and ``validation`` of a task as the installed packages give them.

    No text occurs twice, and none that stands in the pre-training half occurs at all.
    """
    chosen_rows = {"docstrings-package": package_rows, "docstrings-pair": pair_rows, "docstrings-kind": kind_rows}[name]
    _, shown = SHOWN[name]
    parts: dict[str, list[Docstring]] = {"pretrain": [], "train": [], "validation": []}
    for one in corpus.docstrings():
        parts[corpus.part_of(one.module)].append(one)

    seen: set[str] = set()
    splits = {}
    for number, (part, members) in enumerate(parts.items()):
        fresh = []
        for one in members:
            text = normal(shown(one.text))
            if text not in seen:
                seen.add(text)
                fresh.append(one)
        if part != "pretrain":
            rng = np.random.default_rng([SEED, docstrings.NAMES.index(name), number])
            rows = chosen_rows(fresh, MOST[part], rng)
            splits[part] = rows.iloc[rng.permutation(len(rows))].reset_index(drop=True)
    return splits


def package_rows(chosen: list[Docstring], most: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most so many texts of each package, of docstrings with at least eight words."""
    rows = []
    for label, package in enumerate(corpus.PACKAGES):
        long = [one for one in chosen if one.package == package and len(one.text.split()) >= 8]
        texts = sorted({package_masked(one.text) for one in long})
        picked = rng.permutation(len(texts))[:most]
        rows += [(texts[at], label) for at in sorted(picked)]
    return pd.DataFrame(rows, columns=["text", "label"])


def pair_rows(chosen: list[Docstring], most: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most so many matching pairs of each package, and as many mismatched ones."""
    rows = []
    for package in corpus.PACKAGES:
        functions = [one for one in chosen if one.package == package and one.kind == "function"]
        public = [one for one in functions if not one.qualname.rpartition(".")[2].startswith("__")]
        pairs = [(summary_of(one.text), shown_signature(one)) for one in public]
        pairs = [(summary, words) for summary, words in pairs if len(summary.split()) >= 4 and "( )" not in words]
        picked = [pairs[at] for at in rng.permutation(len(pairs))[: 2 * most]]
        half = len(picked) // 2
        # a mismatched pair takes the signature of the next one in the same package, so both sides look alike
        shifted = [(picked[at][0], picked[(at + 1) % half][1]) for at in range(half)]
        rows += [(*pair, 0) for pair in shifted] + [(*pair, 1) for pair in picked[half : 2 * half]]
    return pd.DataFrame(rows, columns=["summary", "signature", "label"])


def kind_rows(chosen: list[Docstring], most: int, rng: np.random.Generator) -> pd.DataFrame:
    """Each package gives as many functions as classes, so that knowing the package does not help."""
    rows = []
    for package in corpus.PACKAGES:
        # a docstring that begins with its own name or signature says what it is
        plain = [one for one in chosen if one.package == package and not names_itself(one)]
        texts = [sorted({kind_masked(one.text) for one in plain if one.kind == kind}) for kind in ("function", "class")]
        fewer = min(most, *map(len, texts))
        rows += [(found[at], label) for label, found in enumerate(texts) for at in rng.permutation(len(found))[:fewer]]
    return pd.DataFrame(rows, columns=["text", "label"])


def shown_signature(one: Docstring) -> str:
    """Return a signature as a row shows it."""
    return " ".join(signature_words(one.signature).split()[:SIGNATURE_WORDS])


def names_itself(one: Docstring) -> bool:
    """True where a docstring is too short, or begins with the name of what it documents."""
    words = one.text.split()
    return len(words) < 4 or words[0].partition("(")[0].rpartition(".")[2] == one.qualname.rpartition(".")[2]


def table(rows: pd.DataFrame, name: str) -> pyarrow.Table:
    """Return rows as they are stored, with the names of the classes in the schema."""
    columns = {column: rows[column].tolist() for column in rows.columns}
    fields = [(column, pyarrow.int64() if column == "label" else pyarrow.string()) for column in columns]
    metadata = {"label_names": json.dumps(LABEL_NAMES[name])}
    return pyarrow.table(columns, schema=pyarrow.schema(fields, metadata=metadata))


def parquet(made: pyarrow.Table) -> bytes:
    """Return a table as a parquet file; the same rows are the same bytes (of one version of pyarrow)."""
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(made, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    return sink.getvalue().to_pybytes()


def licence(package: str) -> str:
    """Return the licence of a package's own sources, without those of what its binaries bundle."""
    if package == "stdlib":
        return (corpus.package_folder(package) / "LICENSE.txt").read_text(encoding="utf-8")
    metadata = importlib.metadata.files(package) or []
    file = min((file for file in metadata if file.name in ("LICENSE", "LICENSE.txt")), key=lambda file: len(file.parts))
    return file.read_text(encoding="utf-8").partition("\n----\n")[0]


def versions() -> dict[str, str]:
    """Return what the rows depend on."""
    packages = {name: importlib.metadata.version(name) for name in corpus.PACKAGES if name != "stdlib"}
    packages["torch"] = packages["torch"].split("+")[0]  # the builds of one release share their sources
    return {"python": platform.python_version(), **packages}


def readme(folder: Path, counts: dict[str, dict[str, int]]) -> str:
    """Return the README of a folder that holds the rows."""
    lines = []
    for name, count in counts.items():
        cells = name, QUESTIONS[name], f"{count['train']:,}", f"{count['validation']:,}", ", ".join(LABEL_NAMES[name])
        lines.append(f"| {' | '.join(cells)} |")
    size = sum(file.stat().st_size for file in folder.glob("*/*.parquet"))
    made_from = ", ".join(f"{'Python' if name == 'python' else name} {one}" for name, one in versions().items())
    return README.format(
        table="\n".join(lines), size=size / 1e6, words=WORDS, summary_words=SUMMARY_WORDS, versions=made_from
    )


if __name__ == "__main__":
    main()
