"""One page that needs nothing else: every verdict with its interval, the pictures inside, light and dark."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from intdim.report.records import SweepRecord
from intdim.report.words import (
    MEANINGS,
    d90_cell,
    interval,
    score,
    subspace_words,
    threshold_words,
    verdict_line,
    whole,
)

_STYLE = Path(__file__).with_name("page.css")

_METHOD = """
<p>This page is about the intrinsic dimension of an <em>objective</em>: of fine-tuning a given model on a given task,
not of data. A run trains only <var>d</var> numbers <var>z</var>; the weights are
<var>θ</var> = <var>θ</var><sub>0</sub> + <var>S P z</var>, where <var>θ</var><sub>0</sub> is the pre-trained model with
<var>D</var> weights, <var>P</var> is a <var>D</var> × <var>d</var> random matrix with unit columns that is fixed by a
seed, and <var>S</var> is 1 (DID) or one trained scale for each group of weights (SAID; the scales are counted in
<var>d</var>).</p>
<p><strong>d90</strong> is the smallest <var>d</var> whose expected score reaches the threshold. The threshold is a
share (0.9 unless said otherwise) of the mean score of full fine-tuning by the same loop, <em>of the score</em>, or
<em>of its gain over chance</em>, where chance is the score of always answering the majority class of the training
labels. Only a verdict that was <em>found</em> is a number; an answer outside the searched range is given as a bound,
any other as a dash. Seed, step length and scores of every run stand in <code>runs.csv</code> beside this page.</p>
<p>Sources: Li, Farkhoor, Liu and Yosinski 2018 (arXiv 1804.08838) for the definition and DID; Aghajanyan, Zettlemoyer
and Gupta 2020 (arXiv 2012.13255) for SAID and the measurement on pre-trained language models.</p>
"""


def page(
    records: list[SweepRecord],
    unfinished: list[str],
    pictures: dict[str, bytes],
    stems: dict[str, str],
    compared: Sequence[Mapping[str, Any]] = (),
    trends: str = "",
) -> str:
    """Return the page as HTML.

    Args:
        records: the sweeps, in the order of the page.
        unfinished: ids of sweeps without a verdict, to be named.
        pictures: PNG bytes by sweep id, and under ``d90`` the comparison where there is one.
        stems: file names under ``figures/`` by sweep id, without ending.
        compared: what ``published.comparisons`` made of the sweeps.
        trends: the part about updates, size, score and gap, as HTML.
    """
    count = _count(len(records), "sweep")
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>Intrinsic dimension: {count}</title>",
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>",
        '<a class="skip" href="#verdicts">Skip to the verdicts</a>',
        f"<header><h1>Intrinsic dimension of fine-tuning</h1>\n<p>{count} with a verdict.</p></header>\n<main>",
        '<section id="verdicts" aria-labelledby="verdicts-title"><h2 id="verdicts-title">Verdicts</h2>',
        _summary(records),
    ]
    if any(record.verdict.get("trivial") for record in records):
        parts.append("<p class='note'>* Chance alone meets this threshold: this d90 says nothing about the model.</p>")
    if unfinished:
        names = ", ".join(f"<code>{escape(name)}</code>" for name in unfinished)
        parts.append(
            f"<p class='note'>Begun and not ended, so not in the tables: {names}. The same command goes on.</p>"
        )
    if "d90" in pictures:
        parts.append(
            picture(pictures["d90"], "d90 of every sweep with its interval; the table above has the numbers.", "d90")
        )
    parts.append(_published(compared) if compared else "")
    parts.append("</section>")
    parts.append(trends)
    parts += [_section(record, pictures.get(record.sweep_id), stems[record.sweep_id]) for record in records]
    parts.append(f'<section aria-labelledby="method-title"><h2 id="method-title">What d90 means</h2>{_METHOD}')
    parts.append(table(("status", "meaning"), MEANINGS.items(), "What each status means") + "</section>")
    parts.append("</main>\n</body>\n</html>\n")
    return "\n".join(parts)


def _summary(records: list[SweepRecord]) -> str:
    head = (
        "model",
        "task",
        "subspace",
        "d90",
        "interval",
        "status",
        "threshold",
        "second threshold",
        "baseline",
        "D",
        "runs",
    )
    rows = []
    for record in records:
        verdict, bounds = record.verdict, record.range
        other = verdict.get("other")
        second = f"{_answer(other, bounds)} ({_kind(other, verdict)})" if other else "–"
        star = "*" if verdict.get("trivial") else ""
        rows.append(
            (
                _Link(str(verdict["model"]), f"#{record.sweep_id}"), verdict["task"], subspace_words(verdict),
                d90_cell(verdict, bounds) + star, _ends(verdict), verdict["status"].replace("_", " "),
                _kind(verdict, verdict), second, _baseline(verdict), whole(verdict["D"]), verdict["runs"],
            )
        )  # fmt: skip
    return table(head, rows, "d90 of each sweep")


def _published(compared: Sequence[Mapping[str, Any]]) -> str:
    words = {True: "yes", False: "no", None: "–"}
    rows = [
        (
            _Link(f"{row['model']} on {row['task']}", f"#{row['sweep_id']}"),
            f"{str(row['method']).upper()}, {row['projection']}, {row['scope']} scope",
            "–" if row["d90"] is None else whole(row["d90"]),
            _ends(dict(row)),
            whole(row["published_d90"]),
            "–" if row["ratio"] is None else f"{row['ratio']:.2f}",
            words[row["inside_interval"]],
            f"{row['paper']}, {row['place']}",
        )
        for row in compared
    ]
    head = ("cell", "ours", "d90", "interval", "published", "ratio", "published inside", "where")
    return table(head, rows, "Beside published values") + (
        "<p class='note'>The papers print no intervals and do not say scope, step lengths or seeds.</p>"
    )


def _section(record: SweepRecord, drawn: bytes | None, stem: str) -> str:
    verdict, bounds, spec = record.verdict, record.range, record.spec
    title = f"{verdict['model']} on {verdict['task']}"
    parts = [f'<section id="{escape(record.sweep_id)}" aria-label="{escape(title)}"><h2>{escape(title)}</h2>']
    parts.append(f"<p>{escape(subspace_words(verdict))}</p>")
    parts.append(f"<p class='answer'>{escape(verdict_line(verdict, bounds))}</p>")
    if verdict.get("message"):
        parts.append(f"<p>{escape(str(verdict['message']))}</p>")
    if drawn:
        words = f"{verdict['metric']} against d for {title}: {verdict_line(verdict, bounds)}. Table of points below."
        parts.append(picture(drawn, words, stem))
    thresholds = [(verdict, "asked for")]
    if verdict.get("other"):
        thresholds.append((verdict["other"], "from the same runs"))
    parts.append(
        table(
            ("threshold", "score to reach", "d90", "interval", "status", ""),
            [
                (
                    _kind(v, verdict),
                    score(v["threshold"], 4),
                    d90_cell(v, bounds),
                    _ends(v),
                    v["status"].replace("_", " "),
                    word,
                )
                for v, word in thresholds
            ],
            "Both thresholds",
        )
    )
    search, isotonic = spec["search"], verdict.get("isotonic_d90")
    facts = [
        ("baseline (full fine-tuning)", f"{_baseline(verdict)}, {_count(verdict['baseline_seeds'], 'seed')}"),
        ("chance (majority class)", _with_error(verdict.get("chance"), verdict.get("chance_se"))),
        ("search", f"{search.get('name', '–')}, d from {whole(bounds[0])} to {whole(bounds[1])}"),
        ("d90 by an isotonic fit, a second opinion", "–" if isotonic is None else whole(isotonic)),
        ("metric", verdict["metric"]),
        ("examples: training, evaluation", _examples(verdict)),
        ("weights inside the subspace, D", whole(verdict["D"])),
        ("learning rate of the baseline", "–" if verdict.get("learning_rate") is None else verdict["learning_rate"]),
        ("time of all runs", f"{verdict['seconds']:,.0f} s" if verdict.get("seconds") is not None else "–"),
        ("sweep", record.sweep_id),
    ]
    parts.append(table(("fact", "value"), facts, "Facts"))
    parts.append(
        table(
            ("d", "mean score", "standard deviation", "runs", "step length"),
            [
                (
                    whole(p["d"]),
                    score(p["score_mean"], 4),
                    score(p["score_std"], 4),
                    p["seeds"],
                    _plain(p["step_length"]),
                )
                for p in record.points
            ],
            "Points: all runs at one d",
        )
    )
    everything = [*record.runs, *record.baseline_runs, *record.other_runs]
    failed = [run for run in everything if run.get("status") == "failed"]
    if failed:
        rows = [(whole(run["d"]), run["seed"], run.get("reason") or "–", run["run_id"]) for run in failed]
        parts.append(table(("d", "seed", "reason", "run"), rows, "Failed runs"))
    evidence = {
        "step lengths": verdict.get("step_lengths"),
        "learning rates of the baseline": verdict.get("learning_rates"),
    }
    parts.append(_details("Step lengths and learning rates: tried, with their scores, and chosen", _nested(evidence)))
    parts.append(_details("Runs", _run_lists(verdict)))
    if verdict.get("versions"):
        parts.append(_details("Versions", _nested(verdict["versions"])))
    text = json.dumps(spec, indent=2, ensure_ascii=False)
    parts.append(_details("Everything that decides this sweep (spec.json)", f"<pre tabindex='0'>{escape(text)}</pre>"))
    return "\n".join([*parts, "</section>"])


class _Link:
    """A cell that leads to a place on this page."""

    def __init__(self, text: str, target: str) -> None:
        self.html = f'<a href="{escape(target)}">{escape(text)}</a>'


def table(head: Iterable[str], rows: Iterable[Iterable[Any]], caption: str) -> str:
    """Return rows as an HTML table that can be scrolled; the first cell of a row is its heading."""
    columns = "".join(f'<th scope="col">{escape(str(word))}</th>' for word in head)
    body = ""
    for row in rows:
        cells = [cell.html if isinstance(cell, _Link) else escape(str(cell)) for cell in row]
        body += f'<tr><th scope="row">{cells[0]}</th>'
        # Numbers with their errors and short words stay on one line; longer text may break.
        body += (
            "".join(f'<td class="{"one" if len(cell) <= 20 else "many"}">{cell}</td>' for cell in cells[1:]) + "</tr>\n"
        )
    name = escape(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{name}" tabindex="0"><table><caption>{name}</caption>'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def picture(data: bytes, words: str, stem: str) -> str:
    """Return a PNG inside the page, described by ``words``, with links to its PDF and CSV."""
    source = base64.b64encode(data).decode("ascii")
    files = ", ".join(
        f'<a href="figures/{escape(stem)}{end}">{kind}</a>' for end, kind in ((".pdf", "PDF"), (".csv", "CSV"))
    )
    return (
        f'<figure><img alt="{escape(words)}" src="data:image/png;base64,{source}">'
        f"<figcaption>The same picture and its numbers: {files}.</figcaption></figure>"
    )


def _run_lists(verdict: dict[str, Any]) -> str:
    lists = {
        "In the subspace, behind the verdict": "run_ids",
        "Baseline": "baseline_run_ids",
        "Tried for a step length or a learning rate": "other_run_ids",
    }
    parts = []
    for title, key in lists.items():
        ids = "".join(f"<li><code>{escape(str(run))}</code></li>" for run in verdict.get(key) or [])
        parts.append(f"<h3>{title}</h3><ul class='ids'>{ids}</ul>" if ids else "")
    return "".join(parts)


def _examples(verdict: dict[str, Any]) -> str:
    counts = [verdict.get(key) for key in ("train_examples", "eval_examples")]
    words = " and ".join("–" if count is None else whole(count) for count in counts)
    kinds = {"half": "chosen on one half of the latter, scored on the other", "same": "chosen and scored on the same"}
    return f"{words} ({kinds[verdict['selection']]})" if verdict.get("selection") in kinds else words


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _nested(value: Any) -> str:
    """Show JSON data of any shape: tables as definition lists, lists of tables with the same keys as rows."""
    if isinstance(value, dict) and value:
        return "<dl>" + "".join(f"<dt>{escape(str(k))}</dt><dd>{_nested(v)}</dd>" for k, v in value.items()) + "</dl>"
    if isinstance(value, list) and value:
        return "<ul>" + "".join(f"<li>{_nested(item)}</li>" for item in value) + "</ul>"
    return escape(_plain(value))


def _plain(value: Any) -> str:
    if value is None or value in ({}, []):
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _kind(verdict: dict[str, Any], whose: dict[str, Any]) -> str:
    return threshold_words(str(verdict["threshold_kind"]), whose["fraction"])


def _answer(verdict: dict[str, Any], bounds: tuple[int, int]) -> str:
    ends = _ends(verdict) if verdict["status"] == "found" else "–"
    return d90_cell(verdict, bounds) + ("" if ends == "–" else f" [{ends}]")


def _ends(verdict: dict[str, Any]) -> str:
    ends = interval(verdict)
    return "–" if ends is None else f"{whole(ends[0])} to {whole(ends[1])}"


def _baseline(verdict: dict[str, Any]) -> str:
    spread = verdict.get("baseline_std") if verdict["baseline_seeds"] > 1 else None  # one seed shows no spread
    return _with_error(verdict.get("baseline_mean"), spread)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _with_error(value: float | None, error: float | None) -> str:
    return score(value) if value is None or error is None else f"{score(value)} ± {score(error)}"
