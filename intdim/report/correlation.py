"""Kendall's tau between d90 and something else, with an interval that includes the uncertainty of d90.

The interval is a bootstrap. In each of ``DRAWS`` draws the points of each stratum are drawn anew with replacement, each
d90 from its own interval, and scores and gaps from a normal with their standard error. d90 of a verdict that was found
is drawn from a normal in log d on each side of the number, whose 5 % and 95 % points are the interval's ends; without
an interval it is the number. A ``budget_spent`` verdict with an interval is drawn uniformly in log d within it.
Censored d90 tie: all beyond the upper end of the range are one rank above every number, all below the lower end one
rank below. Pairs are made within a stratum alone (one task; along updates, one series too), so that pooling tasks
does not mistake the difference between tasks for an effect. tau is tau-b (Kendall 1945): pairs that tie in one of
the two lower it.

Where all pairs of a few points agree, no bootstrap can show that this may be chance. ``random`` does: it is the share
of random orders of d90 within the strata whose tau is as far from 0 (a permutation test).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intdim.report.published import Claim
from intdim.report.series import KINDS, SweepRow, by_group, figure_rows
from intdim.report.words import interval

DRAWS = 4000
LEVEL = 0.9
NORMAL_95 = 1.6448536269514722  # the 95 % point of a standard normal
SEED = 2012_13255


@dataclass(frozen=True)
class Correlation:
    """tau of d90 against one quantity in one group of sweeps, beside what the paper claims.

    Attributes:
        against: updates, size, score or gap.
        task: what the group is called.
        points: sweeps in it.
        censored: those whose d90 lies beyond the range.
        pairs: of points that were compared.
        tau: None where no pair differs in both.
        low: lower end of the interval of tau, None where there is none.
        high: upper end of it.
        level: of the interval.
        random: share of random orders whose tau is as far from 0.
        claimed: which way d90 goes according to the paper, falls or rises.
        claim: the paper's sentence.
        paper: which.
        place: where in it.
        says: agrees or contradicts where the interval leaves out 0 and ``random`` is at most 1 - ``LEVEL``, else open.
    """

    against: str
    task: str
    points: int
    censored: int
    pairs: int
    tau: float | None
    low: float | None
    high: float | None
    level: float
    random: float | None
    claimed: str
    claim: str
    paper: str
    place: str
    says: str


def correlation_rows(rows: Sequence[SweepRow], claims: Mapping[str, Claim]) -> list[Correlation]:
    """Return tau of d90 against updates, size, score and gap for each group and for all together.

    Args:
        rows: from ``series_rows``.
        claims: what the paper says, by kind.
    """
    made = []
    for kind in KINDS:
        shown = figure_rows(rows, kind)
        groups = by_group(shown)
        parts = list(zip(_names(list(groups)), groups.values(), strict=True))
        if len(parts) > 1:
            parts.append(("all, within each", shown))
        made += [_correlation(kind, name, part, claims[kind]) for name, part in parts]
    return made


def _correlation(kind: str, name: str, rows: list[SweepRow], claim: Claim) -> Correlation:
    tau, low, high, pairs = kendall(rows, kind)
    random = random_share(rows, kind)
    return Correlation(
        against=kind,
        task=name,
        points=len(rows),
        censored=sum(row.censored for row in rows),
        pairs=pairs,
        tau=tau,
        low=low,
        high=high,
        level=LEVEL,
        random=random,
        claimed=claim.direction,
        claim=claim.claim,
        paper=claim.paper,
        place=claim.place,
        says=_says(low, high, random, claim.direction),
    )


def kendall(rows: Sequence[SweepRow], kind: str) -> tuple[float | None, float | None, float | None, int]:
    """Return (tau, low, high, pairs) of d90 against ``kind``; None where no pair differs in both, or, of the interval,
    where that is so in more than half of the draws. ``pairs`` counts the pairs that were compared."""
    rng = np.random.default_rng(SEED)
    point, drawn, pairs = np.zeros((1, 3)), np.zeros((DRAWS, 3)), 0
    for part in _strata(rows, kind):
        n = len(part)
        point += _sums(_values(part, kind)[None], _centres(part)[None], np.ones((1, n)))
        counts = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)
        drawn += _sums(_draw_values(part, kind, rng), _draw_d90(part, rng), counts)
        pairs += n * (n - 1) // 2

    taus = _tau(drawn)
    taus = taus[np.isfinite(taus)]
    low = high = None
    if len(taus) > DRAWS / 2:
        low, high = (float(end) for end in np.quantile(taus, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    tau = float(_tau(point)[0])
    return (tau if math.isfinite(tau) else None), low, high, pairs


def random_share(rows: Sequence[SweepRow], kind: str) -> float | None:
    """Return the share of random orders of d90 within the strata with a tau at least as far from 0 as the one found;
    None where there is none. Of ``DRAWS`` orders; the one found counts as one of them."""
    rng = np.random.default_rng(SEED)
    found, shuffled = np.zeros((1, 3)), np.zeros((DRAWS, 3))
    for part in _strata(rows, kind):
        x, y = _values(part, kind)[None], _centres(part)[None]
        found += _sums(x, y, np.ones(x.shape))
        orders = rng.permuted(np.broadcast_to(y, (DRAWS, y.shape[1])), axis=1)
        shuffled += _sums(np.broadcast_to(x, orders.shape), orders, np.ones(orders.shape))

    tau = _tau(found)[0]
    if not math.isfinite(tau):
        return None
    as_far = np.abs(_tau(shuffled)) >= abs(tau) - 1e-9
    return float((as_far.sum() + 1) / (DRAWS + 1))


def _strata(rows: Sequence[SweepRow], kind: str) -> list[list[SweepRow]]:
    strata: dict[tuple[str | float, ...], list[SweepRow]] = {}
    for row in rows:
        strata.setdefault(row.stratum(kind), []).append(row)
    return list(strata.values())


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


def _centres(rows: Sequence[SweepRow]) -> np.ndarray:
    return np.array([_centre(row) for row in rows])


def _centre(row: SweepRow) -> float:
    """Return log d90, an infinity where it lies beyond the range."""
    if row.status == "found":
        return _log(row.d90)
    if row.censored:
        return -math.inf if row.status == "below_range" else math.inf
    return (_log(row.d90_low) + _log(row.d90_high)) / 2


def _log(value: float | None) -> float:
    assert value is not None, "the row has a place on the axis"
    return math.log(value)


def _draw_d90(rows: Sequence[SweepRow], rng: np.random.Generator) -> np.ndarray:
    """Return draws of log d90, (draws, points)."""
    columns = []
    for row in rows:
        centre, ends = _centre(row), interval(row)
        if row.censored or ends is None:
            columns.append(np.full(DRAWS, centre))
            continue
        low, high = math.log(ends[0]), math.log(ends[1])
        if row.status == "found":
            normal = rng.standard_normal(DRAWS)
            below, above = max(centre - low, 0.0), max(high - centre, 0.0)
            columns.append(centre + normal / NORMAL_95 * np.where(normal < 0, below, above))
        else:
            columns.append(rng.uniform(low, high, DRAWS))
    return np.stack(columns, axis=1)


def _values(rows: Sequence[SweepRow], kind: str) -> np.ndarray:
    return np.array([row.value(kind) for row in rows], dtype=float)


def _draw_values(rows: Sequence[SweepRow], kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the other quantity, (draws, points); updates and sizes are known."""
    values = np.broadcast_to(_values(rows, kind), (DRAWS, len(rows)))
    if kind in ("updates", "size"):
        return values
    errors = np.array([row.standard_error(kind) for row in rows])
    return values + errors * rng.standard_normal((DRAWS, len(rows)))


def _says(low: float | None, high: float | None, random: float | None, direction: str) -> str:
    if low is None or high is None or random is None:
        return "open"
    if low <= 0 <= high or random > 1 - LEVEL:
        return "open"
    return "agrees" if (high < 0) == (direction == "falls") else "contradicts"


def _names(groups: Sequence[tuple[str | float, ...]]) -> list[str]:
    """Name groups by the task and by the other facts in which they differ."""
    differ = [k for k in range(1, len(groups[0])) if len({g[k] for g in groups}) > 1] if groups else []
    return [" · ".join([str(g[0]), *(str(g[k]) for k in differ)]) for g in groups]
