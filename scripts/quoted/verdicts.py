"""The default verdict in words, and the same sweep with ten master seeds."""

from __future__ import annotations

from quoted.base import DASH, count, interval, prose, read, table, whole


def cell(verdict: dict[str, object]) -> str:
    """Return the line that ``intdim sweep`` prints for the default's cell."""
    names = [str(verdict[key]) for key in ("model", "task", "method", "projection", "scope")]
    return " · ".join(names)


def default_verdict() -> str:
    """What ``make sweep`` prints at its end."""
    verdict = read("default-verdict")
    other = verdict["other"]
    return "\n".join(
        [
            "```text",
            f"{cell(verdict)}: {answer(verdict)}",
            verdict["message"],
            f"  by the {other['threshold_kind']} threshold ({other['threshold']:.3f}): {answer(other)}",
            "```",
        ]
    )


def answer(verdict: dict[str, object]) -> str:
    """Return a verdict's number with its interval, or a dash with its status, as ``intdim sweep`` does."""
    if verdict["status"] != "found":
        return f"{DASH} {verdict['status']}"
    return f"{whole(verdict['d90'])} {interval(verdict['d90_low'], verdict['d90_high'])}"  # type: ignore[arg-type]


def default_words() -> str:
    """The same verdict in sentences."""
    verdict = read("default-verdict")
    other, gain = verdict["other"], f"{100 * verdict['fraction']:.0f} %"
    mean, std = f"{verdict['baseline_mean']:.3f}", f"{verdict['baseline_std']:.3f}"
    sentences = [
        f"Full fine-tuning scores {mean} ± {std} ({count(verdict['baseline_seeds'])} seeds).",
        f"Always giving the more frequent answer scores {verdict['chance']:.3f}.",
        f"In a random subspace of {whole(verdict['d90'])} of the model's {verdict['D']:,} dimensions, a run is",
        f"expected to score {verdict['threshold']:.3f}, which is {gain} of full fine-tuning.",
    ]
    if other["status"] == "budget_spent" and other["d90_low"] is not None:
        sentences += [
            f"To reach {gain} of the *gain* over the more frequent answer ({other['threshold']:.3f}) takes more than",
            f"{whole(other['d90_low'])} dimensions; the {count(len(verdict['run_ids']))} runs of the search",
            "cannot say how many, so no number is printed.",
        ]
    return prose(*sentences)


def default_alt() -> str:
    """The picture, with a description for those who do not see it."""
    verdict = read("default-verdict")
    return (
        f"![Accuracy against d for the built-in model and task. The fitted curve crosses the threshold of "
        f"{verdict['threshold']:.3f} at d = {whole(verdict['d90'])}.](scripts/results/default-curve.png)"
    )


def default_time() -> str:
    """How long the default takes, and where that was measured."""
    facts = read("default-machine")
    minutes = count(round(facts["wall_seconds"] / 60))
    words = f"{count(facts['cores'])} cores with {facts['vectors']}, Python {facts['python']}"
    return f"`make sweep` takes about {minutes} minutes after installation ({words})."


def repeats() -> str:
    """The default sweep with ten master seeds."""
    made = []
    for row in read("repeat")["rows"]:
        ends = interval(row["d90_low"], row["d90_high"])
        d90 = DASH if row["d90"] is None else whole(row["d90"])
        baseline = f"{row['baseline_mean']:.3f} ± {row['baseline_std']:.3f}"
        made.append([str(row["seed"]), f"`{row['status']}`", d90, ends, baseline, str(row["runs"])])
    return table(["seed", "status", "d90", "90 % interval", "baseline", "runs"], made)


def repeat_words() -> str:
    """How far ten master seeds differ."""
    record = read("repeat")
    found, rows = record["summary"], record["rows"]
    return prose(
        f"Of {count(len(rows))} master seeds, {count(found['found'])} say `found`: {whole(found['lowest'])} to",
        f"{whole(found['highest'])}, median {whole(found['median_d90'])}, and they differ by a factor of",
        f"{found['spread']:.2f} (one standard deviation).",
        f"{count(found['intervals_with_the_median']).capitalize()} of {count(found['intervals'])} intervals contain",
        f"the median. Half an interval is a factor of {found['median_half_width']:.2f}.",
    )


BLOCKS = {
    "default-verdict": default_verdict,
    "default-words": default_words,
    "default-picture": default_alt,
    "default-time": default_time,
    "repeats": repeats,
    "repeat-words": repeat_words,
}
