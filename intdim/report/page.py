"""One page that needs nothing else: every verdict with its interval, the pictures inside, light and dark.

What it says is prepared here, in ``summary`` and in ``sections``; ``page.html.j2`` and the templates beside it lay it
out. ``page.js`` sorts tables; the page has the same content without it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from intdim.report.differing import differing
from intdim.report.parts import Cell, Link, Picture, Table, number
from intdim.report.provenance import Provenance, provenances
from intdim.report.published import Comparison
from intdim.report.records import SweepRecord
from intdim.report.sections import SweepSection, sweep_section
from intdim.report.summary import summary_table
from intdim.report.trends import Trends
from intdim.report.words import MEANINGS, count, interval_words, whole

COMPARED = ("cell", "ours", "d90", "interval", "published", "ratio", "published inside", "where")
TABLES = {
    "d90.csv": "one row for each sweep, the fields of verdict.json",
    "d90.parquet": "the same with types",
    "d90.tex": "the same as a LaTeX table",
    "points.csv": "the points of all sweeps: mean score and its deviation at each d",
    "runs.csv": "every run, with its scores, step length, seed and time",
    "published.csv": "published values of d90 beside these",
    "correlations.csv": "rank correlations of d90 with updates, size, score and gap",
}


@dataclass(frozen=True)
class Content:
    """What a page is made of.

    Attributes:
        out: the results folder, which dates, commands and learning curves are read from.
        records: the sweeps, in the order of the page.
        pictures: PNG bytes by sweep id, and under ``d90`` the comparison where there is one.
        stems: file names under ``figures/`` by sweep id, without ending.
        unfinished: ids of sweeps without a verdict, to be named.
        compared: what ``published.comparisons`` made of the sweeps.
        trends: the part about updates, size, score and gap, None where there are no such figures.
        left_out: a line for each figure that could not be drawn.
        damaged: what is wrong with each run or sweep that is left out.
    """

    out: Path
    records: Sequence[SweepRecord]
    pictures: Mapping[str, bytes]
    stems: Mapping[str, str]
    unfinished: Sequence[str] = ()
    compared: Sequence[Comparison] = ()
    trends: Trends | None = None
    left_out: Sequence[str] = ()
    damaged: Sequence[str] = ()


def page(content: Content) -> str:
    """Return the page as HTML."""
    style, script = (_beside(name) for name in ("page.css", "page.js"))
    records, pictures, compared = content.records, content.pictures, content.compared
    origins, differs = provenances(content.out, records), differing(records)
    words = "d90 of every sweep with its interval; the table above has the numbers."
    return _template().render(
        style=Markup(style),  # ours, and no part of it comes from elsewhere; the script likewise
        script=Markup(script),
        policy=policy(style, script),
        count=count(len(records), "sweep"),
        latest=_latest(origins),
        warned=_warned(records),
        summary=summary_table(records, differs, origins),
        trivial=any(record.verdict.trivial for record in records),
        unfinished=content.unfinished,
        left_out=content.left_out,
        damaged=content.damaged,
        forest=Picture.of(pictures["d90"], words, "d90") if "d90" in pictures else None,
        published=_published_table(compared) if compared else None,
        trends=content.trends,
        sweeps=[_section(content, one, origins[one.sweep_id], differs.get(one.sweep_id, "")) for one in records],
        files=_files(bool(compared), content.trends is not None),
        meanings=Table.of("What each status means", ("status", "meaning"), MEANINGS.items()),
    )


def policy(style: str, script: str) -> str:
    """Return the content security policy of a page with this style sheet and this script: these two, pictures inside
    the page, and nothing else."""
    allowed = f"style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _beside(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2")


def _section(content: Content, record: SweepRecord, origin: Provenance, differs: str) -> SweepSection:
    png, stem = content.pictures.get(record.sweep_id), content.stems[record.sweep_id]
    return sweep_section(record, png, stem, origin, differs, content.out)


def _latest(origins: Mapping[str, Provenance]) -> str:
    latest = max(origins.values(), key=lambda one: one.ended)
    return f", the latest of {latest.day}" if latest.ended else ""


def _warned(records: Sequence[SweepRecord]) -> str:
    warned = sum(1 for record in records if record.verdict.warnings)
    return f"; {warned} of them with warnings" if warned else ""


def _files(published: bool, trends: bool) -> list[Link]:
    absent = {name for name, there in (("published.csv", published), ("correlations.csv", trends)) if not there}
    return [Link(name, name, words) for name, words in TABLES.items() if name not in absent]


def _published_table(compared: Sequence[Comparison]) -> Table:
    rows = [_published(one) for one in compared]
    return Table.of("Beside published values", COMPARED, rows, sortable=len(rows) > 1, cards=True)


def _published(row: Comparison) -> list[object]:
    inside = {True: "yes", False: "no", None: "–"}
    return [
        Cell(f"{row.model} on {row.task}", note=f"sweep {row.sweep_id[:8]}", href=f"#{row.sweep_id}"),
        f"{row.method.upper()}, {row.projection}, {row.scope} scope",
        number("–" if row.d90 is None else whole(row.d90), row.d90),
        interval_words(row),
        number(whole(row.published_d90), row.published_d90),
        number("–" if row.ratio is None else f"{row.ratio:.2f}", row.ratio),
        inside[row.inside_interval],
        f"{row.paper}, {row.place}",
    ]
