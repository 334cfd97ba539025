"""Kendall's tau between d90 and something else, with an interval that knows how well d90 is known.

The interval is a bootstrap. In each of ``DRAWS`` draws the points of each stratum are drawn anew with replacement, each
d90 from its own interval, and scores and gaps from a normal with their standard error. d90 of a verdict that was found
is drawn from a normal in log d on each side of the number, whose 5 % and 95 % points are the interval's ends; without
an interval it is the number. A ``budget_spent`` verdict with an interval is drawn uniformly in log d within it.
Censored d90 tie: all beyond the upper end of the range are one rank above every number, all below the lower end one
rank below. Pairs are made within a stratum alone (one task; along updates, one series too), so that pooling tasks
does not mistake the difference between tasks for an effect. tau is tau-b (Kendall 1945): pairs that tie in one of
the two lower it.

Where all pairs of a few points agree no bootstrap can say that this may be luck. ``random`` does: it is the share of
random orders of d90 within the strata whose tau is as far from 0 (a permutation test).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from intdim.report.series import KINDS, Rows, figure_rows, group, stratum

DRAWS = 4000
LEVEL = 0.9
NORMAL_95 = 1.6448536269514722  # the 95 % point of a standard normal
SEED = 2012_13255
COLUMNS = ("against", "task", "points", "censored", "pairs", "tau", "low", "high", "level", "random", "claimed",
           "claim", "paper", "place", "says")  # fmt: skip


def correlation_rows(rows: Rows, claims: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Return tau of d90 against updates, size, score and gap for each group and for all together.

    Args:
        rows: from ``series_rows``.
        claims: what the paper says, by kind.

    Returns:
        Rows with the keys ``COLUMNS``. ``says`` is agrees or contradicts where the interval leaves out 0 and ``random``
        is at most 1 - ``LEVEL``, else open.
    """
    made = []
    for kind in KINDS:
        shown = figure_rows(rows, kind)
        groups: dict[Any, Rows] = {}
        for row in shown:
            groups.setdefault(group(row), []).append(row)
        names = _names(list(groups))
        parts = list(zip(names, groups.values(), strict=True))
        if len(parts) > 1:
            parts.append(("all, within each", shown))
        for name, part in parts:
            tau, low, high, pairs = kendall(part, kind)
            random = random_share(part, kind)
            claim = claims[kind]
            made.append(
                {
                    "against": kind,
                    "task": name,
                    "points": len(part),
                    "censored": sum(row["status"] in ("below_range", "above_range") for row in part),
                    "pairs": pairs,
                    "tau": tau,
                    "low": low,
                    "high": high,
                    "level": LEVEL,
                    "random": random,
                    "claimed": claim["direction"],
                    "claim": claim["claim"],
                    "paper": claim["paper"],
                    "place": claim["place"],
                    "says": _says(low, high, random, claim["direction"]),
                }
            )
    return made


def kendall(rows: Rows, kind: str) -> tuple[float | None, float | None, float | None, int]:
    """Return (tau, low, high, pairs) of d90 against ``kind``; None where no pair differs in both, or, of the interval,
    where that is so in more than half of the draws. ``pairs`` counts the pairs that were compared."""
    strata: dict[Any, Rows] = {}
    for row in rows:
        strata.setdefault(stratum(row, kind), []).append(row)
    random = np.random.default_rng(SEED)
    point, drawn, pairs = np.zeros((1, 3)), np.zeros((DRAWS, 3)), 0
    for part in strata.values():
        n = len(part)
        once = np.ones((1, n))
        point += _sums(_values(part, kind)[None], _centres(part)[None], once)
        counts = random.multinomial(n, np.full(n, 1 / n), size=DRAWS)
        drawn += _sums(_draw_values(part, kind, random), _draw_d90(part, random), counts)
        pairs += n * (n - 1) // 2
    taus = _tau(drawn)
    taus = taus[np.isfinite(taus)]
    low = high = None
    if len(taus) > DRAWS / 2:
        low, high = (float(end) for end in np.quantile(taus, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    tau = float(_tau(point)[0])
    return (tau if math.isfinite(tau) else None), low, high, pairs


def random_share(rows: Rows, kind: str) -> float | None:
    """Return the share of random orders of d90 within the strata with a tau at least as far from 0 as the one found;
    None where there is none. Of ``DRAWS`` orders; the one found counts as one of them."""
    strata: dict[Any, Rows] = {}
    for row in rows:
        strata.setdefault(stratum(row, kind), []).append(row)
    random = np.random.default_rng(SEED)
    found, shuffled = np.zeros((1, 3)), np.zeros((DRAWS, 3))
    for part in strata.values():
        x, y = _values(part, kind)[None], _centres(part)[None]
        found += _sums(x, y, np.ones(x.shape))
        orders = random.permuted(np.broadcast_to(y, (DRAWS, y.shape[1])), axis=1)
        shuffled += _sums(np.broadcast_to(x, orders.shape), orders, np.ones(orders.shape))
    tau = _tau(found)[0]
    if not math.isfinite(tau):
        return None
    as_far = np.abs(_tau(shuffled)) >= abs(tau) - 1e-9
    return float((as_far.sum() + 1) / (DRAWS + 1))


def _sums(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return, for each draw, the sums over pairs of sign(dx) sign(dy), |sign(dx)| and |sign(dy)|; x, y and ``counts``
    are (draws, points), and a pair of points that were drawn k and l times counts k l times."""
    i, j = np.triu_indices(x.shape[1], 1)
    signs = [np.sign(np.greater(v[:, i], v[:, j]).astype(int) - np.less(v[:, i], v[:, j]).astype(int)) for v in (x, y)]
    weight = counts[:, i] * counts[:, j]
    return np.stack([(weight * s).sum(1) for s in (signs[0] * signs[1], abs(signs[0]), abs(signs[1]))], axis=1)


def _tau(sums: np.ndarray) -> np.ndarray:
    norm = np.sqrt(sums[:, 1] * sums[:, 2])
    return np.divide(sums[:, 0], norm, out=np.full(len(sums), np.nan), where=norm > 0)


def _centres(rows: Rows) -> np.ndarray:
    return np.array([_centre(row) for row in rows])


def _centre(row: dict[str, Any]) -> float:
    """Return log d90, an infinity where it lies beyond the range."""
    if row["status"] == "found":
        return math.log(row["d90"])
    if row["status"] in ("below_range", "above_range"):
        return -math.inf if row["status"] == "below_range" else math.inf
    return (math.log(row["d90_low"]) + math.log(row["d90_high"])) / 2


def _draw_d90(rows: Rows, random: np.random.Generator) -> np.ndarray:
    """Return draws of log d90, (draws, points)."""
    columns = []
    for row in rows:
        centre, low, high = _centre(row), row["d90_low"], row["d90_high"]
        if row["status"] in ("below_range", "above_range") or low is None or high is None:
            columns.append(np.full(DRAWS, centre))
        elif row["status"] == "found":
            normal = random.standard_normal(DRAWS)
            below, above = max(centre - math.log(low), 0.0), max(math.log(high) - centre, 0.0)
            columns.append(centre + normal / NORMAL_95 * np.where(normal < 0, below, above))
        else:
            columns.append(random.uniform(math.log(low), math.log(high), DRAWS))
    return np.stack(columns, axis=1)


def _values(rows: Rows, kind: str) -> np.ndarray:
    return np.array([float(row[kind]) for row in rows])


def _draw_values(rows: Rows, kind: str, random: np.random.Generator) -> np.ndarray:
    """Return draws of the other quantity, (draws, points); updates and sizes are known."""
    values = np.broadcast_to(_values(rows, kind), (DRAWS, len(rows)))
    if kind in ("updates", "size"):
        return values
    number = "score_seeds" if kind == "score" else "gap_runs"
    errors = np.array([(row[f"{kind}_std"] or 0.0) / math.sqrt(max(row[number], 1)) for row in rows])
    return values + errors * random.standard_normal((DRAWS, len(rows)))


def _says(low: float | None, high: float | None, random: float | None, direction: str) -> str:
    if low is None or high is None or low <= 0 <= high or random is None or random > 1 - LEVEL:
        return "open"
    return "agrees" if (high < 0) == (direction == "falls") else "contradicts"


def _names(groups: Sequence[tuple[Any, ...]]) -> list[str]:
    """Name groups by the task and by the other facts in which they differ."""
    differ = [k for k in range(1, len(groups[0])) if len({g[k] for g in groups}) > 1] if groups else []
    return [" · ".join([str(g[0]), *(str(g[k]) for k in differ)]) for g in groups]
