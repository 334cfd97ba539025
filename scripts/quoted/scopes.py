"""What the scope of P and the authors' gradient do to scores and d90."""

from __future__ import annotations

from typing import Any

from quoted.base import DASH, prose, read, table, whole

FORMS = {
    "global": "`global`",
    "tensor": "`tensor`",
    "tensor_turns": "`tensor_turns`",
    "authors": "`tensor` with the authors' gradient",
    "all": "every tensor moved by all coordinates",
}


def scopes() -> str:
    """Scores by form of P and d, and d90."""
    record = read("scopes")
    dimensions = sorted({row["d"] for row in record["rows"]})
    made = []
    for form, name in FORMS.items():
        rows = {row["d"]: row for row in record["rows"] if row["form"] == form}
        if not rows:
            continue
        scores = [f"{rows[d]['mean']:.3f} (s = {rows[d]['step_length']:g})" if d in rows else DASH for d in dimensions]
        found = d90s(record)[form]
        by_seed = ", ".join(d90_of(d90, sorted(rows)) for d90 in found["d90_of_seeds"])
        made.append([name, *scores, f"{d90_of(found['d90'], sorted(rows))} ({by_seed})"])
    first, *others = (whole(d) for d in dimensions)
    return table(["P", f"d = {first}", *others, "d90 (of each seed)"], made)


def scopes_words() -> str:
    """What that is worth."""
    record = read("scopes")
    found, dimensions = d90s(record), sorted({row["d"] for row in record["rows"]})
    base = found["global"]["d90"]
    said = []
    for form, name in FORMS.items():
        if form == "global" or form not in found:
            continue
        d90, more = found[form]["d90"], found[form]["d90"] is None
        factor = (dimensions[-1] if more else d90) / base
        said.append(f"{'more than ' if more else ''}{factor:.1f} times as large ({name})")
    return prose(
        f"The threshold is {record['bar']:.3f}. Against `global`, d90 is {', '.join(said[:-1])} and {said[-1]}."
    )


def d90s(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the row of d90 by form."""
    return {row["form"]: row for row in record["d90"]}


def d90_of(value: float | None, dimensions: list[int]) -> str:
    """Return a d90, or that it lies outside the dimensions that were measured."""
    if value is None:
        return f"> {whole(dimensions[-1])}"
    return f"≤ {whole(value)}" if value <= dimensions[0] else whole(value)


BLOCKS = {"scopes": scopes, "scopes-words": scopes_words}
