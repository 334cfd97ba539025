"""Figures of ``bench_precision.py``: weights of fewer bits."""

from __future__ import annotations

from typing import Any

from quoted.base import DASH, prose, read, signed, table, whole

BITS = {23: "23 (float32)", 7: "7 (bf16)"}


def forms() -> str:
    """Scores by form and d, and what the forward pass saw."""
    found, head = read("precision"), ["bits", "form"]
    dimensions = sorted({d for form in found["forms"] for d in form["d"]})
    rows = []
    for form in sorted(found["forms"], key=lambda form: (-form["bits"], form["form"])):
        scores = dict(zip(form["d"], form["score"], strict=True))
        shown = [f"{scores[d]:.3f}" if d in scores else DASH for d in dimensions]
        shown.append(DASH if form["d90"] is None else whole(form["d90"]))
        seen = [f"{min(form[name]):.3f}" for name in ("cosine", "kept", "moved")]
        rows.append([BITS.get(form["bits"], str(form["bits"])), form["form"], *shown, *seen])
    head += [f"d = {d:,}" for d in dimensions]
    return table([*head, "d90", "least cosine", "kept", "moved"], rows)


def by_cosine() -> str:
    """What scores lose, by how much of the update the forward pass saw."""
    found = read("precision")
    exact = {row["d"]: [] for row in found["rows"]}
    for row in found["rows"]:
        if row["form"] == "float32":
            exact[row["d"]].append((row["seed"], row["score"]))
    said = []
    for low, high in ((0.99, 1.01), (0.9, 0.99), (0.7, 0.9), (0.0, 0.7)):
        for how in ("nearest", "stochastic"):
            lost = [loss(row, exact) for row in found["rows"] if how in row["form"] and low <= row["cosine"] < high]
            if lost:
                between = f"at least {low:g}" if high > 1 else f"{low:g} to {high:g}"
                said.append([between, how, str(len(lost)), signed(round(sum(lost) / len(lost), 3) + 0.0, 3)])
    return table(["cosine of a run", "rounding", "runs", "score against float32, same d and seed"], said)


def loss(row: dict[str, Any], exact: dict[int, list[tuple[int, float]]]) -> float:
    """The score of a run less that of the same run in float32."""
    return row["score"] - dict(exact[row["d"]])[row["seed"]]


def sizes() -> str:
    """How many runs stand behind the tables."""
    found = read("precision")
    seeds = {form["form"]: set() for form in found["forms"]}
    for row in found["rows"]:
        seeds[row["form"]].add(row["seed"])
    most = max(len(those) for those in seeds.values())
    return prose(
        f"{len(found['rows'])} runs of the built-in model (D = {found['D']:,}) with at most {most} seeds each, s = "
        f"{found['rows'][0]['step_length']:g}."
    )


BLOCKS = {"precision-forms": forms, "precision-by-cosine": by_cosine, "precision-sizes": sizes}
