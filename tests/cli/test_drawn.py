"""A verdict in a notebook: figure, tables and warnings as HTML that is well formed, whatever is in a name."""

from __future__ import annotations

import base64
import dataclasses
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

from intdim.cli.drawn import DrawnVerdict
from intdim.ledger.store import Ledger
from tests import small_ledger


class Balanced(HTMLParser):
    """Keeps the elements that are open, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def parsed(html: str) -> Balanced:
    reader = Balanced()
    reader.feed(html)
    assert not reader.open
    return reader


def verdict_of(out: Path) -> DrawnVerdict:
    small_ledger.sweep(out)
    (folder,) = (out / "sweeps").iterdir()
    verdict = Ledger(out).whole_verdict(folder.name)
    assert verdict is not None
    doubtful = dataclasses.replace(verdict, model="<b>&", warnings=["3 < 4 & so on"])
    return DrawnVerdict.of(doubtful, out)


def test_a_verdict_draws_itself(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path)
    html = verdict._repr_html_()
    page = parsed(html)
    assert page.seen.count("table") >= 3
    assert "b" not in page.seen[page.seen.index("b") + 1 :], "a name is no element"
    for words in ("<b>& on ", "3 < 4 & so on", "Both thresholds", "baseline (full fine-tuning)", "standard deviation"):
        assert words in page.text
    (picture,) = re.findall(r"data:image/png;base64,([^\"]+)", html)
    drawn = tmp_path / "sweeps" / verdict.sweep_id / "curve.png"
    assert base64.b64decode(picture) == drawn.read_bytes()


def test_without_its_files_the_answer_stays(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path / "out")
    whole = parsed(verdict._repr_html_())
    shutil.rmtree(tmp_path / "out")
    page = parsed(verdict._repr_html_())
    assert "no longer in" in page.text
    assert page.text.splitlines()[:2] == whole.text.splitlines()[:2]
    assert "img" not in page.seen
    assert not (tmp_path / "out").exists(), "looking writes nothing"


def test_it_is_a_verdict_like_any_other(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path)
    assert verdict == DrawnVerdict.of(verdict, tmp_path / "elsewhere")
    assert verdict != dataclasses.replace(verdict, runs=verdict.runs + 1)
    assert repr(verdict).startswith("Verdict(")
    assert "\n" not in repr(verdict)
