"""How good the searches are: simulated curves, published runs, the error of the evaluation examples, early ends."""

from __future__ import annotations

import statistics
from typing import Any

from quoted.base import count, interval, prose, read, table, whole

POSTERIOR = (
    ("search-12-1", "`posterior`, at most 12 runs"),
    ("search-12-4", "the same, 4 at once"),
    ("search-24-1", "`posterior`, at most 24 runs"),
    ("search-24-4", "the same, 4 at once"),
)
OTHERS = {
    "bisection": "`bisection`",
    "grid": "`grid`, 13 dimensions with 3 seeds",
    "grid-25": "`grid`, 25 with 1 seed",
    "grid-25x5": "`grid`, 25 with 5 seeds",
}
SWEEPS = {
    "all": "all",
    "mild": "mild windows of step lengths",
    "harsh": "harsh ones",
    "plain": "the seven plain families",
}
HARD = ("tail", "plateau", "two_seeds", "low_ceiling")
PUBLISHED = {
    "mnist_fc_depth2_w200_3runs": "MNIST, FC 2 × 200",
    "mnist_lenet": "MNIST, LeNet",
    "cifar_fc": "CIFAR-10, FC",
    "cifar_lenet": "CIFAR-10, LeNet",
}


def methods(name: str) -> dict[str, Any]:
    """Return the methods of a file of ``bench_search.py`` that holds one table."""
    (only,) = read(name)["tables"].values()
    return only["methods"]


def searches() -> str:
    """Error and coverage of each search on simulated curves."""
    rows = [(label, methods(name)["posterior"]["all"]) for name, label in POSTERIOR]
    others = methods("search-others")
    rows += [(label, others[name]["all"]) for name, label in OTHERS.items()]
    made = []
    for label, one in rows:
        low, high = one["coverage_95"]
        covers = f"{one['coverage']:.2f} [{low:.2f}, {high:.2f}]"
        error = [f"× {one['median_error']:.3f}", f"× {one['p90_error']:.2f}"]
        counted = [str(one["curves"]), f"{one['runs']:.1f}", f"{one['found']:.2f}"]
        made.append([label, *counted, *error, covers, f"× {one['half_width']:.2f}"])
    head = ["search", "curves", "runs", "`found`", "median error", "90th percentile"]
    return table([*head, "the 90 % interval covers (95 % of that)", "half an interval"], made)


def sweeps() -> str:
    """Found, error and coverage of whole sweeps on simulated tasks."""
    measured = read("sweep")["tables"]["report"]["table"]
    made = []
    for name, label in SWEEPS.items():
        one = measured[name]
        low, high = one["coverage_95"]
        covers = f"{one['coverage']:.2f} [{low:.2f}, {high:.2f}]"
        error = f"× {one['median_error']:.2f}, {one['p90_error']:.2f}"
        counted = [str(one["tasks"]), f"{one['runs']:.0f}", f"{one['found']:.2f}", f"{one['above_range']:.3f}"]
        made.append([label, *counted, error, covers])
    head = ["tasks", "how many", "runs (median)", "`found`", "false `above_range`", "error, median and 90th percentile"]
    return table([*head, "the 90 % interval covers (95 % of that)"], made)


def sweep_limits() -> str:
    """Where whole sweeps are weakest."""
    measured = read("sweep")["tables"]["report"]["table"]
    families = {name: measured[name] for name in HARD}
    words = [f"{families[name]['found']:.2f} in `{name}`" for name in HARD]
    outside = measured["censored"]
    false = round(outside["tasks"] * outside["false_found"])
    return prose(
        f"Of {outside['tasks']} further tasks whose d90 lies outside the range or is never reached,",
        f"{count(false) if false else 'none'} ended in `found`.",
        f"By hard family of curves, `found` is {', '.join(words)}.",
    )


def sweep_noise() -> str:
    """Whole sweeps whose evaluation split is small."""
    measured = read("sweep")["tables"]["evaluation noise"]
    one, low_ceiling = measured["table"]["all"], measured["table"]["low_ceiling"]
    low, high = one["coverage_95"]
    return prose(
        f"On {one['tasks']} other tasks whose evaluation examples put the threshold off by",
        f"{100 * measured['arguments']['evaluation_noise']:.1f} points (one standard deviation), `found` is",
        f"{one['found']:.2f} ({low_ceiling['found']:.2f} in `low_ceiling`), the median error",
        f"× {one['median_error']:.2f}, and the interval covers {one['coverage']:.2f} [{low:.2f}, {high:.2f}].",
    )


def grids() -> str:
    """Real sweeps beside dense grids with six fresh seeds at each d."""
    made = []
    for name, one in sorted(read("grid").items()):
        sweep, grid = one["sweep"], one["grid"]
        found = f"{whole(sweep['d90'])} [{whole(sweep['d90_low'])}, {whole(sweep['d90_high'])}]"
        ends = ("beyond the grid" if grid[end] is None else whole(grid[end]) for end in ("low", "high"))
        dense = f"{whole(grid['d90'])} [{', '.join(ends)}]"
        bars = [f"{sweep['threshold']:.3f}", f"{grid['bar']:.3f}"]
        made.append([name, found, dense, *bars, ", ".join(one["scores"]), "yes" if grid["holds"] else "no"])
    return table(["cell", "sweep", "grid", "its bar", "the grid's bar", "d of the grid", "holds"], made)


def search_limits() -> str:
    """Where the posterior is weakest."""
    made = [methods(name)["posterior"] for name, _ in POSTERIOR]
    families = [name for name in made[0] if name not in ("all", "censored", "seconds_per_search")]
    covered = {name: min(one[name]["coverage"] for one in made) for name in families}
    worst = min(covered, key=lambda name: covered[name])
    spent = {name: made[0][name]["statuses"].get("budget_spent", 0) / made[0][name]["curves"] for name in families}
    hardest = max(spent, key=lambda name: spent[name])
    outside = made[0]["censored"]["curves"]
    false = sorted({round(one["censored"]["false_found"] * one["censored"]["curves"]) for one in made})
    called = " to ".join(str(number) for number in dict.fromkeys([false[0], false[-1]]))
    return prose(
        f"Of {outside} further curves whose d90 lies outside the range, or which never reach the threshold,",
        f"{called} was called `found` in each row of `posterior`.",
        f"By family of curves, the smallest coverage of `posterior` is {covered[worst]:.2f} (family `{worst}`),",
        f"and with 12 runs `budget_spent` is most frequent in family `{hardest}` ({spent[hardest]:.2f}).",
    )


def replayed() -> str:
    """d90 from published runs, beside the rule of their authors."""
    made = []
    for name, label in PUBLISHED.items():
        for row in read("replay")["rows"][name]:
            found = [one for one in row["replays"] if one["d90"] is not None and one["low"] is not None]
            middle = {key: statistics.median(one[key] for one in found) for key in ("d90", "low", "high")}
            holds = sum(one["low"] <= row["rule"] <= one["high"] for one in found)
            bar = "0.900" if row["bar"] == 0.9 else "0.9 × baseline"
            rule = f"{whole(row['rule'])} {interval(*row['rule_range'])}"
            ends = interval(middle["low"], middle["high"])
            made.append([label, bar, rule, whole(middle["d90"]), ends, f"{holds} of {len(row['replays'])}"])
    head = ["runs of", "threshold", "their rule, bootstrap range", "d90, median of 20", "interval, medians"]
    return table([*head, "intervals that hold their d"], made)


def evaluation_error() -> str:
    """What a shared error of the bar does to the coverage."""
    one = methods("search-evaluation-noise")["posterior"]["all"]
    low, high = one["coverage_95"]
    return prose(
        f"On {one['curves']} curves with such an error (0.5 to 1.5 points), the interval by the seeds alone covers",
        f"{one['coverage_by_seeds']:.2f}, and the whole interval {one['coverage']:.2f} [{low:.2f}, {high:.2f}].",
        f"The median error is × {one['median_error']:.2f}.",
    )


def patience() -> str:
    """What ending runs early would have changed in one sweep."""
    made = []
    for row in read("patience")["rows"]:
        answer = row["answers"]["absolute"]
        d90 = f"{whole(answer['d90'])} {interval(answer['low'], answer['high'])}"
        stopped, loss = str(row["stopped"]), f"{100 * row['largest_loss']:.1f} points"
        made.append([str(row["patience"] or "0 (never)"), f"{100 * row['steps']:.0f} %", stopped, loss, d90])
    return table(["`train.patience`", "steps made", "runs that ended early", "largest loss of a run", "d90"], made)


BLOCKS = {
    "sweeps": sweeps,
    "sweep-limits": sweep_limits,
    "sweep-noise": sweep_noise,
    "grids": grids,
    "searches": searches,
    "search-limits": search_limits,
    "replayed": replayed,
    "evaluation-error": evaluation_error,
    "patience": patience,
}
