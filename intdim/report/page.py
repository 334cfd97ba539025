"""One page that needs nothing else: every verdict with its interval, the pictures inside, light and dark.

What it says is prepared here and in ``sections``; ``page.html.j2`` and the templates beside it lay it out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from intdim.ledger.verdict import SecondVerdict, Verdict
from intdim.report.parts import Link, Picture, Table
from intdim.report.published import Comparison
from intdim.report.records import SweepRecord
from intdim.report.sections import baseline_words, plain, sweep_section
from intdim.report.trends import Trends
from intdim.report.words import (
    MEANINGS,
    count,
    d90_cell,
    interval,
    interval_words,
    status_words,
    subspace_words,
    threshold_words,
    whole,
)

SUMMARY = ("model", "task", "subspace", "d90", "interval", "status", "threshold", "second threshold", "baseline", "D",
           "runs")  # fmt: skip
COMPARED = ("cell", "ours", "d90", "interval", "published", "ratio", "published inside", "where")


def page(
    records: Sequence[SweepRecord],
    unfinished: Sequence[str],
    pictures: Mapping[str, bytes],
    stems: Mapping[str, str],
    compared: Sequence[Comparison] = (),
    trends: Trends | None = None,
    left_out: Sequence[str] = (),
    damaged: Sequence[str] = (),
) -> str:
    """Return the page as HTML.

    Args:
        records: the sweeps, in the order of the page.
        unfinished: ids of sweeps without a verdict, to be named.
        pictures: PNG bytes by sweep id, and under ``d90`` the comparison where there is one.
        stems: file names under ``figures/`` by sweep id, without ending.
        compared: what ``published.comparisons`` made of the sweeps.
        trends: the part about updates, size, score and gap, None where there are no such figures.
        left_out: a line for each figure that could not be drawn.
        damaged: what is wrong with each run or sweep that is left out.
    """
    words = "d90 of every sweep with its interval; the table above has the numbers."
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return _template().render(
        style=Markup(style),  # ours, and no part of it comes from elsewhere
        policy=policy(style),
        count=count(len(records), "sweep"),
        summary=Table.of("d90 of each sweep", SUMMARY, [_summary(record) for record in records]),
        trivial=any(record.verdict.trivial for record in records),
        unfinished=unfinished,
        left_out=left_out,
        damaged=damaged,
        forest=Picture.of(pictures["d90"], words, "d90") if "d90" in pictures else None,
        published=Table.of("Beside published values", COMPARED, map(_published, compared)) if compared else None,
        trends=trends,
        sweeps=[sweep_section(one, pictures.get(one.sweep_id), stems[one.sweep_id]) for one in records],
        meanings=Table.of("What each status means", ("status", "meaning"), MEANINGS.items()),
    )


def policy(style: str) -> str:
    """Return the content security policy of a page with this style sheet: pictures inside it, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain
    return environment.get_template("page.html.j2")


def _summary(record: SweepRecord) -> list[object]:
    verdict, other = record.verdict, record.verdict.other
    second = f"{_answer(other, record.bounds)} ({threshold_words(other.threshold_kind, verdict.fraction)})"
    return [
        Link(verdict.model, record.sweep_id),
        verdict.task,
        subspace_words(verdict),
        d90_cell(verdict, record.bounds) + ("*" if verdict.trivial else ""),
        interval_words(verdict),
        status_words(verdict.status),
        threshold_words(verdict.threshold_kind, verdict.fraction),
        second,
        baseline_words(verdict),
        whole(verdict.D),
        verdict.runs,
    ]


def _answer(verdict: Verdict | SecondVerdict, bounds: tuple[int, int]) -> str:
    cell, found = d90_cell(verdict, bounds), verdict.status == "found"
    return f"{cell} [{interval_words(verdict)}]" if found and interval(verdict) else cell


def _published(row: Comparison) -> list[object]:
    inside = {True: "yes", False: "no", None: "–"}
    return [
        Link(f"{row.model} on {row.task}", row.sweep_id),
        f"{row.method.upper()}, {row.projection}, {row.scope} scope",
        "–" if row.d90 is None else whole(row.d90),
        interval_words(row),
        whole(row.published_d90),
        "–" if row.ratio is None else f"{row.ratio:.2f}",
        inside[row.inside_interval],
        f"{row.paper}, {row.place}",
    ]
