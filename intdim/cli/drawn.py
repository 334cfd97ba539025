"""A verdict that a notebook draws: its figure, its answer by both thresholds, its facts and its warnings."""

from __future__ import annotations

import base64
from dataclasses import fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from intdim.errors import IntdimError
from intdim.ledger.verdict import Verdict

if TYPE_CHECKING:
    from intdim.report.parts import Table

CELL = "text-align:left;padding:2px 12px 2px 0"


class DrawnVerdict(Verdict):
    """A verdict that knows the results folder it lies in; equal to another one that says the same.

    Attributes:
        out: the results folder.
    """

    out: Path

    @classmethod
    def of(cls, verdict: Verdict, out: Path) -> DrawnVerdict:
        """Return a verdict that draws itself."""
        made = cls(**{one.name: getattr(verdict, one.name) for one in fields(verdict)})
        object.__setattr__(made, "out", out)
        return made

    def _repr_html_(self) -> str:
        """Return the verdict as HTML for a notebook; without its files, as far as it goes."""
        from intdim.report.words import subspace_words, verdict_line

        parts = [
            f"<p><b>{escape(f'{self.model} on {self.task}')}</b>: {escape(verdict_line(self))}<br>"
            f"{escape(subspace_words(self))}</p>",
            *(f"<p>⚠ {escape(warning)}</p>" for warning in self.warnings),
        ]
        try:
            parts += self._details()
        except IntdimError as error:
            parts.append(f"<p>{escape(str(error))}</p>")
        return f"<div>{''.join(parts)}</div>"

    def _details(self) -> list[str]:
        """Return the figure and the tables, which rest on the sweep's files."""
        from intdim.report import try_curve
        from intdim.report.provenance import provenances
        from intdim.report.records import read_sweep
        from intdim.report.sections import sweep_section

        record = read_sweep(self.out, self.sweep_id, damaged=[])
        if record is None:
            return [f"<p>The files of sweep {escape(self.sweep_id)} are no longer in {escape(str(self.out))}.</p>"]
        undrawn = try_curve(self.out, self.sweep_id)
        picture = self.out / "sweeps" / self.sweep_id / "curve.png"
        png = picture.read_bytes() if not undrawn and picture.is_file() else None
        section = sweep_section(record, png, "curve", provenances(self.out, [record])[self.sweep_id])

        if png is None:
            shown = f"<p>{escape(undrawn)}</p>"
        else:
            data, words = base64.b64encode(png).decode("ascii"), escape(f"{self.metric} against d", quote=True)
            shown = f'<img alt="{words}" style="max-width:600px" src="data:image/png;base64,{data}">'
        first, *others = section.tables
        return [shown, _html(first), *(f"<details>{_html(one, 'summary')}</details>" for one in others)]


def _html(table: Table, caption: str = "p") -> str:
    """Return a table as HTML; ``caption`` is the element of its heading."""
    head = "".join(f'<th style="{CELL}">{escape(name)}</th>' for name in table.head)
    rows = ["".join(f'<td style="{CELL}">{escape(cell.text)}</td>' for cell in row) for row in table.rows]
    body = "".join(f"<tr>{cells}</tr>" for cells in rows)
    return f"<{caption}>{escape(table.caption)}</{caption}><table><tr>{head}</tr>{body}</table>"
