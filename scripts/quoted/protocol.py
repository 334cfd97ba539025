"""The best step length, and what sections of the coordinates do to a score."""

from __future__ import annotations

import statistics
from typing import Any

from quoted.base import count, prose, read, signed, table, whole

Row = dict[str, Any]


def step_lengths(name: str) -> str:
    """The best step length by scope, method and d."""
    rows = read(name)["rows"]
    dimensions = sorted({row["d"] for row in rows})
    made = []
    for scope, method in dict.fromkeys((row["scope"], row["method"]) for row in rows):
        best = {row["d"]: row["best"] for row in rows if (row["scope"], row["method"]) == (scope, method)}
        made.append([scope, method.upper(), *(f"{best[d]:g}" for d in dimensions)])
    first, *others = (whole(d) for d in dimensions)
    return table(["scope", "method", f"d = {first}", *others], made)


def lost(row: Row, chance: float, factor: float) -> float | None:
    """Return the share of the gain over chance that a step length wrong by ``factor`` loses; None if not tried."""
    scores = {float(length): score for length, score in row["scores"].items()}
    wrong = [length for length in scores if 0.85 < length / (factor * row["best"]) < 1.2]
    if not wrong:
        return None
    gain = scores[row["best"]] - chance
    return 1 - max(0.0, scores[wrong[0]] - chance) / gain


def wrong_lengths() -> str:
    """What a wrong step length costs."""
    tiny, real = read("steplength"), read("steplength-stories260k")
    narrow = sum(row["window"][0] == row["window"][1] for row in real["rows"])
    said = []
    for factor, words in (
        (1 / 3, "a third of the best s"),
        (3, "three times the best s"),
        (10, "ten times the best s"),
    ):
        losses = [one for row in tiny["rows"] if (one := lost(row, tiny["chance"], factor)) is not None]
        said.append(f"{words} loses {100 * statistics.median(losses):.0f} %")
    threefold = [one for row in tiny["rows"] if (one := lost(row, tiny["chance"], 3)) is not None]
    nothing = sum(one > 0.9 for one in threefold)
    return prose(
        f"In {count(narrow)} of the {count(len(real['rows']))} cells for the decoder, no other s of a grid in factors",
        "of 3 keeps 90 % of the gain over the majority class.",
        f"For the built-in model, in the median of {len(tiny['rows'])} cells, {said[0]} of that gain, {said[1]}",
        f"(in {count(nothing)} cells more than nine tenths of it), and {said[2]}.",
    )


def step_windows() -> str:
    """What widens the window of useful step lengths."""
    record = read("steplength-window")
    made = []
    for row in record["rows"]:
        low, high = row["window"]
        window = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        scores = [f"{score:.3f}" for score in row["scores"].values()]
        name = row["variant"] if row["variant"] == "as it is" else f"`{row['variant']}`"
        made.append([name, f"{row['best']:g}", window, *scores])
    lengths = [f"s = {length}" for length in record["rows"][0]["scores"]]
    return table(["training", "best s", "keeps 90 % of the gain", *lengths], made)


def sections() -> str:
    """Scores with many small sections, against whole blocks."""
    tables = read("sections")["tables"]
    names = {"orthogonal": "`orthogonal`", "fastfood": "`fastfood`", "kronecker": "`kronecker`"}
    made = []
    for name, label in names.items():
        rows = tables[name]
        changes = [f"{signed(row['difference'], 3)} ± {row['standard_error']:.3f}" for row in rows]
        factors = sorted(row["as_factor_of_d"] for row in rows)
        made.append([label, *changes, f"{factors[0]:.1f} to {factors[-1]:.1f}"])
    dimensions = [f"d = {whole(row['d'])}" for row in tables["orthogonal"]]
    return table(["in sections minus whole", *dimensions, "worth, as a factor of d"], made)


def sections_real() -> str:
    """The same with the sections that are used, on real weights."""
    tables = read("sections-real")["tables"]
    made = []
    for name, rows in tables.items():
        changes = [f"{signed(row['difference'], 3)} ± {row['standard_error']:.3f}" for row in rows]
        made.append([f"`{name}`", *changes])
    dimensions = [f"d = {whole(row['d'])}" for row in tables["orthogonal"]]
    return table(["in sections minus whole", *dimensions], made)


BLOCKS = {
    "step-lengths": lambda: step_lengths("steplength"),
    "step-lengths-decoder": lambda: step_lengths("steplength-stories260k"),
    "wrong-lengths": wrong_lengths,
    "step-windows": step_windows,
    "sections": sections,
    "sections-real": sections_real,
}
