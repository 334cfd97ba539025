"""Upper bounds on the population error of a classifier that is described by a short message.

Setting: n training examples are independent draws. Before they were seen, a prefix-free code of classifiers was fixed;
the trained classifier has a message of K bits and errs on a share q of the examples (0/1 loss). A message of K bits is
given the share 2^-K of the failure probability delta; by Kraft's inequality the shares sum to at most delta. So with
probability 1 - delta over the draw, simultaneously for *every* classifier with a message, however it was chosen:

* ``occam_binomial``: the largest p with P[Binomial(n, p) <= n q] >= 2^-K delta. Exact for one classifier.
* ``occam_kl``: the largest p with kl(q || p) <= (K ln 2 + ln(1 / delta)) / n. Chernoff's bound on that tail.
* ``occam_hoeffding``: q + sqrt((K ln 2 + ln(1 / delta)) / (2 n)). Pinsker's inequality on that.

These three hold on the same event, and each is at most the next. Two more are PAC-Bayes bounds, here for a posterior
that is a single classifier, with KL = K ln 2:

* ``pac_bayes_kl``: kl(q || p) <= (KL + ln(2 sqrt(n) / delta)) / n (Langford and Seeger 2001, Maurer 2004).
* ``catoni``: Catoni 2007, theorem 1.2.8, with its union over the temperature.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betainccinv, gammaln, logsumexp

from intdim.errors import UserError

SEARCHES = ("published", "best")
UNION = 1e-4  # Catoni's alpha: temperatures are (1 + alpha)^k, and the union over k costs 2 ln(k + 2)


def occam_hoeffding(train_error: float, bits: float, n: int, delta: float = 0.05) -> float:
    """Return the bound by Hoeffding's inequality, in [0, 1].

    Args:
        train_error: share of the training examples that the coded classifier gets wrong, in [0, 1].
        bits: length of its message in a prefix-free code that was fixed before the examples were seen.
        n: number of training examples.
        delta: the largest probability with which the bound may fail, in (0, 1).

    Raises:
        UserError: an argument is outside its range.
    """
    exponent = _exponent(train_error, bits, n, delta)
    return min(1.0, train_error + math.sqrt(exponent / (2 * n)))


def occam_kl(train_error: float, bits: float, n: int, delta: float = 0.05) -> float:
    """Return the bound by Chernoff's inequality, in [0, 1]: the largest p with kl(q || p) <= (K ln 2 + ln 1/delta) / n.

    Arguments and errors as for ``occam_hoeffding``.
    """
    return _inverse_kl(train_error, _exponent(train_error, bits, n, delta) / n)


def pac_bayes_kl(train_error: float, bits: float, n: int, delta: float = 0.05) -> float:
    """Return the PAC-Bayes-kl bound, in [0, 1]: as ``occam_kl`` with ln(2 sqrt(n) / delta) in place of ln(1 / delta).

    Arguments and errors as for ``occam_hoeffding``.
    """
    exponent = _exponent(train_error, bits, n, delta) + math.log(2 * math.sqrt(n))
    return _inverse_kl(train_error, exponent / n)


def occam_binomial(train_error: float, bits: float, n: int, delta: float = 0.05) -> float:
    """Return the bound by the binomial tail, in [0, 1]; a share between two counts of errors is rounded up.

    Arguments and errors as for ``occam_hoeffding``.
    """
    exponent = _exponent(train_error, bits, n, delta)
    return share_upper(math.ceil(train_error * n - 1e-6), n, -exponent)


def share_upper(errors: int, n: int, log_delta: float) -> float:
    """Return the largest p with ln P[Binomial(n, p) <= errors] >= ``log_delta`` (Clopper and Pearson's upper end).

    ``log_delta`` may be far below the logarithm of the smallest float: the tail is then summed in logarithms.
    """
    if errors >= n:
        return 1.0
    if log_delta > -600.0:  # float64 can hold the tail itself, and the incomplete beta function gives p
        tail: Any = betainccinv(errors + 1, n - errors, math.exp(log_delta))
        return float(tail)

    count = np.arange(errors + 1)
    choose = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)

    def excess(p: float) -> float:
        total: Any = logsumexp(choose + count * math.log(p) + (n - count) * math.log1p(-p))
        return float(total) - log_delta

    low, high = max(errors / n, 1e-300), 1.0 - 1e-15
    return 1.0 if excess(high) >= 0.0 else _crossing(excess, low, high)


def catoni(train_error: float, bits: float, n: int, delta: float = 0.05, search: str = "published") -> float:
    """Return Catoni's bound, in [0, 1], minimised over the temperature g under its union bound.

    With a = 1e-4 and q' = q + (1 + a) / g (K ln 2 + ln(1 / delta) + 2 ln(2 + ln g / ln(1 + a))), the bound is
    (1 - exp(-g q' / n)) / (1 - exp(-g / n)). It holds for every g > 1, so any search for the best g is allowed.

    Args:
        train_error: as for ``occam_hoeffding``, like bits, n and delta.
        bits: length of the message.
        n: number of training examples.
        delta: the largest probability of failure.
        search: ``published`` is Brent's search from the bracket ln g in (0, 4 + ln n), as used by Lotfi et al. (2022).
            It can end at the far end, where the bound is 1, as in 2 of their 27 runs. ``best`` finds the minimum.

    Raises:
        UserError: an argument is outside its range, or an unknown search.
    """
    exponent = _exponent(train_error, bits, n, delta)
    if search not in SEARCHES:
        raise UserError(f"unknown search {search!r}", f"Known: {', '.join(SEARCHES)}", "Choose one of these.")

    def bound(log_g: float) -> float:
        g = math.exp(log_g)
        shifted = train_error + (1 + UNION) / g * (exponent + 2 * math.log(2 + log_g / math.log1p(UNION)))
        return math.expm1(-g * shifted / n) / math.expm1(-g / n)

    end = 4 + math.log(n)
    if search == "published":
        found = float(minimize_scalar(bound, bracket=(0.0, end)).fun)  # pyright: ignore
    else:
        found = _minimum(bound, 0.0, end + 4)
    return min(1.0, max(train_error, found))


# ----------------------------------------------------------------------------------------------------------------------


def _exponent(train_error: float, bits: float, n: int, delta: float) -> float:
    """Check all arguments and return K ln 2 + ln(1 / delta)."""
    for name, value in (("train_error", train_error), ("bits", bits), ("n", n), ("delta", delta)):
        if not isinstance(value, (int, float, np.integer, np.floating)):
            raise UserError(f"{name}={value!r}", f"{name} must be a number", "Convert it.")

    wrong = []
    if not 0.0 <= train_error <= 1.0:
        wrong.append((f"train_error={train_error}", "train_error must be a share from 0 to 1"))
    if not (math.isfinite(bits) and bits >= 0):
        wrong.append((f"bits={bits}", "bits must be finite and at least 0"))
    if not (math.isfinite(n) and n >= 1 and n == int(n)):
        wrong.append((f"n={n}", "n must be an integer of at least 1"))
    if not 0.0 < delta < 1.0:
        wrong.append((f"delta={delta}", "delta must be a probability strictly between 0 and 1"))
    if wrong:
        raise UserError("; ".join(fact for fact, _ in wrong), "; ".join(allowed for _, allowed in wrong), "")

    return bits * math.log(2) - math.log(delta)


def _kl(q: float, p: float) -> float:
    """Return kl(q || p) in nats between two Bernoulli distributions, for p in (0, 1)."""
    heads = q * math.log(q / p) if q > 0 else 0.0
    tails = (1 - q) * math.log((1 - q) / (1 - p)) if q < 1 else 0.0
    return heads + tails


def _inverse_kl(q: float, limit: float) -> float:
    """Return the largest p in [q, 1] with kl(q || p) <= ``limit``."""
    high = 1.0 - 1e-15
    if q >= high or _kl(q, high) <= limit:
        return 1.0
    low = max(q, 1e-300)
    return _crossing(lambda p: _kl(q, p) - limit, low, high)


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that changes its sign between two ends is 0."""
    found: Any = brentq(function, low, high, xtol=1e-14)
    return float(found)


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the minimum of a function with one minimum: the best of a grid, then Brent's search around it."""
    grid = np.linspace(low, high, 400)
    values = [function(float(at)) for at in grid]
    best = int(np.argmin(values))
    around = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)]))
    refined = minimize_scalar(function, bounds=around, method="bounded", options={"xatol": 1e-10})
    return min(values[best], float(refined.fun))  # pyright: ignore
