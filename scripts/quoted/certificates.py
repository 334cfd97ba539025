"""Certificates of the built-in tasks, and the paper in miniature."""

from __future__ import annotations

from collections import Counter

from quoted.base import DASH, count, interval, read, read_rows, signed, table, whole

LARGEST = 65_536  # d_max of its sweeps
AGAINST = {"updates": "updates", "size": "size", "score": "evaluation score", "gap": "relative gap"}
CLAIMS = {"updates": "it falls", "size": "it falls", "score": "low d90, high score", "gap": "low d90, small gap"}


def certificates() -> str:
    """The best certificate of each built-in task."""
    made = []
    for row in read("bounds")["rows"]:
        errors = [f"{row['majority_error_train']:.3f}", f"{row['eval_error']:.3f}"]
        sizes = [f"{row['bytes']['artifact']:,}", f"{row['bytes']['message']:,}"]
        bits = f"{row['bits']} ({row['bits_per_coordinate']:.2f})"
        bound = [f"{row['train_error']:.3f}", f"**{row['certificate']:.3f}**"]
        made.append([f"`{row['task']}`", f"{row['n']:,}", str(row["d"]), bits, *bound, *errors, *sizes])
    head = ["task", "n", "d", "bits (per coordinate)", "train error", "certificate, δ = 0.05"]
    return table([*head, "majority class", "held-out error", "artifact, bytes", "message, bytes"], made)


def forms() -> str:
    """The same messages under each inequality."""
    names = {"occam_binomial": "binomial tail", "occam_kl": "kl", "occam_hoeffding": "Hoeffding", "catoni": "Catoni"}
    made = []
    for row in read("bounds")["rows"]:
        values = {"occam_binomial": row["certificate"]} | row
        made.append([f"`{row['task']}`", *(f"{values[name]:.3f}" for name in names)])
    return table(["task", *names.values()], made)


def trends() -> str:
    """Kendall's τ of the paper in miniature."""
    rows = read_rows("mini-correlations")
    made = []
    for name, label in AGAINST.items():
        here = [row for row in rows if row["against"] == name]
        row = next((one for one in here if one["task"].startswith("all")), here[0])
        alone = "" if row["task"].startswith("all") else f" ({row['task']} alone)"
        tau, low, high = (signed(float(row[key]), 2) for key in ("tau", "low", "high"))
        chance = f"{float(row['random']):.{3 if float(row['random']) < 0.01 else 2}f}"
        shown = f"{tau} [{low}, {high}], {row['points']} points"
        made.append([label + alone, shown, chance, CLAIMS[name], row["says"]])
    head = ["d90 against", "Kendall's τ, all points within each task", "by chance", "the paper says", "ours"]
    return table(head, made)


def trend_by_task() -> str:
    """The same for each task by itself."""
    rows = [row for row in read_rows("mini-correlations") if not row["task"].startswith("all")]
    made = []
    for row in rows:
        tau, low, high = (signed(float(row[key]), 2) for key in ("tau", "low", "high"))
        points = f"{row['points']} ({row['censored']} censored)"
        made.append([AGAINST[row["against"]], row["task"], points, f"{tau} [{low}, {high}]", row["says"]])
    return table(["d90 against", "task", "points", "Kendall's τ", "ours"], made)


def mini_verdicts() -> str:
    """Every verdict of the paper in miniature."""
    rows = sorted(read_rows("mini-d90"), key=lambda row: (row["task"], row["model"][:6], updates(row["model"])))
    made = []
    for row in rows:
        ends = interval(row["d90_low"], row["d90_high"]) if row["d90_low"] and row["d90_high"] else ""
        shown = {"found": f"{whole(row['d90'] or 0)} {ends}", "above_range": f"> {whole(LARGEST)}"}
        value = shown.get(row["status"], DASH)
        score = f"{float(row['baseline_mean']):.3f}"
        made.append([row["task"], row["model"], f"{int(row['D']):,}", score, f"`{row['status']}`", value])
    return table(["task", "model@updates", "D", "baseline", "status", "d90"], made)


def mini_words() -> str:
    """How many verdicts there are of each kind."""
    rows = read_rows("mini-d90")
    kinds = Counter(row["status"] for row in rows)
    listed = [f"{count(number)} are `{kind}`" for kind, number in kinds.most_common()]
    return f"Of {count(len(rows))} verdicts, {', '.join(listed[:-1])} and {listed[-1]}."


def updates(model: str) -> int:
    """Return the updates in the name of a checkpoint: ``mini-m@300`` gives 300."""
    return int(model.rpartition("@")[2])


BLOCKS = {
    "certificates": certificates,
    "certificate-forms": forms,
    "mini-trends": trends,
    "mini-trends-by-task": trend_by_task,
    "mini-verdicts": mini_verdicts,
    "mini-words": mini_words,
}
