"""The verdicts as a table for LaTeX: what all sweeps share stands in its caption, what differs in its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from intdim.ledger.verdict import Verdict
from intdim.report.latex import NOTE, has_named, latex_escape
from intdim.report.records import SweepRecord
from intdim.report.words import PLACED, baseline_spread, threshold_words

LABEL = "tab:d90"
METHODS = {
    "did": r"DID ($\theta = \theta_0 + P z$, only $z$ is trained)",
    "said": r"SAID ($\theta = \theta_0 + S P z$, where $S$ has one trained scale per {groups}, counted in $d$)",
}
BOUND = "A bound is given where the threshold is reached at the smallest $d$ of the search, or not at its largest."
SPENT = "A dash with an interval: the runs were used up before the interval was narrow enough for a number."
NONE = "A dash alone: no $d$ can be named."
TRIVIAL = r"\textsuperscript{*}: the majority class alone meets the threshold."


def latex_table(records: Sequence[SweepRecord]) -> str:
    r"""Return a booktabs ``table`` with caption and label, for ``\input``; a censored verdict is a bound or a dash,
    never a number."""
    verdicts = [record.verdict for record in records]
    shared = {name for name, fact in FACTS.items() if len({fact(one) for one in verdicts}) == 1}
    columns = {"Model": "l", "Task": "l"} | {name: "l" for name in FACTS if name not in shared}
    columns |= {"$D$": "r", "$d_{90}$ [low, high]": "r", "Baseline": "r", "Runs": "r"}
    rows = [_cells(one, shared) for one in verdicts]
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(verdicts, shared)}}}",
        rf"\label{{{LABEL}}}",
        rf"\begin{{tabular}}{{{''.join(columns.values())}}}",
        r"\toprule",
        " & ".join(columns) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    if any(has_named(line) for line in lines):
        lines.append(NOTE)
    return "\n".join(lines) + "\n"


def _method(verdict: Verdict) -> str:
    return verdict.method.upper() + (f" ({verdict.groups})" if verdict.method == "said" else "")


def _threshold(verdict: Verdict) -> str:
    return threshold_words(verdict.threshold_kind, verdict.fraction)


# What was measured: a column where sweeps differ in it, else a part of the caption.
FACTS: dict[str, Callable[[Verdict], str]] = {
    "Method": _method,
    "Projection": lambda verdict: verdict.projection,
    "Scope": lambda verdict: verdict.scope,
    "Metric": lambda verdict: verdict.metric,
    "Threshold": _threshold,
}


def _caption(verdicts: Sequence[Verdict], shared: set[str]) -> str:
    """Return what was measured, in sentences: method, projection, scope, metric, threshold, and what signs mean."""
    first = verdicts[0]
    metric = latex_escape(first.metric) if "Metric" in shared else "score"
    asked = f"{latex_escape(_threshold(first))} of full fine-tuning" if "Threshold" in shared else "its threshold"
    level = f"{100 * first.level:g}"
    sentences = [
        rf"Intrinsic dimension $d_{{90}}$ of fine-tuning, with its {level}\,\% interval: the smallest number $d$ of "
        rf"trained dimensions at which the expected {metric} reaches {asked}.",
    ]
    if "Method" in shared:
        method = METHODS.get(first.method, latex_escape(first.method))
        sentences.append(f"Method: {method.replace('{groups}', latex_escape(first.groups))}.")
    if "Projection" in shared:
        sentences.append(f"Projection $P$: {latex_escape(first.projection)}.")
    if "Scope" in shared:
        sentences.append(f"Scope of one $P$: {latex_escape(first.scope)}.")
    sentences.append(r"$D$: weights inside the subspace. Baseline: full fine-tuning, mean $\pm$ standard deviation.")
    return " ".join([*sentences, *_signs(verdicts)])


def _signs(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a sentence for each sign that occurs."""
    cells = [_d90(one) for one in verdicts]
    there = {
        BOUND: any(one.status in ("below_range", "above_range") for one in verdicts),
        SPENT: any(cell.startswith("-- ") for cell in cells),
        NONE: "--" in cells,
        TRIVIAL: any(one.trivial for one in verdicts),
    }
    return [sentence for sentence, occurs in there.items() if occurs]


def _cells(verdict: Verdict, shared: set[str]) -> list[str]:
    spread = baseline_spread(verdict)
    baseline = f"{verdict.baseline_mean:.3f}" + ("" if spread is None else rf" \pm {spread:.3f}")
    facts = [latex_escape(fact(verdict)) for name, fact in FACTS.items() if name not in shared]
    return [
        latex_escape(verdict.model),
        latex_escape(verdict.task),
        *facts,
        f"${_number(verdict.D)}$",
        _d90(verdict) + (r"\textsuperscript{*}" if verdict.trivial else ""),
        f"${baseline}$",
        str(verdict.runs),
    ]


def _d90(verdict: Verdict) -> str:
    if verdict.status == "below_range":
        return rf"$\le {_number(verdict.d_min)}$"
    if verdict.status == "above_range":
        return f"$> {_number(verdict.d_max)}$"
    known = _interval(verdict) if verdict.status in PLACED else ""
    if verdict.status == "found" and verdict.d90 is not None:
        behind = rf"\ {known}" if known else ""
        return f"${_number(verdict.d90)}{behind}$"
    return f"-- ${known}$" if known else "--"


def _interval(verdict: Verdict) -> str:
    """Return the known ends of an interval for mathematics, "" where neither is known."""
    low, high = verdict.d90_low, verdict.d90_high
    if low is not None and high is not None:
        return rf"[{_number(low)},\ {_number(high)}]"
    if low is not None:
        return f"({{>}}\\,{_number(low)})"
    return f"({{<}}\\,{_number(high)})" if high is not None else ""


def _number(value: float) -> str:
    return f"{round(value):,}".replace(",", "{,}")
