from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intdim.report.parts import Table
from intdim.report.provenance import Provenance
from intdim.report.sections import SweepSection, sweep_section
from intdim.spec import to_dict

from . import fake

UNKNOWN = Provenance(0.0)


def section(out: Path, origin: Provenance = UNKNOWN, png: bytes | None = b"png", **case: Any) -> SweepSection:
    return sweep_section(fake.record(out, **case), png, "stem", origin)


def table(made: SweepSection, caption: str) -> Table | None:
    return next((one for one in made.tables if one.caption.startswith(caption)), None)


def column(found: Table | None, place: int) -> list[str]:
    assert found is not None
    return [row[place].text for row in found.rows]


def facts(found: Table | None) -> dict[str, str]:
    return dict(zip(column(found, 0), column(found, 1), strict=True))


def test_a_section_holds_the_answer_and_what_decided_it(out: Path) -> None:
    record = fake.record(out, failed=1)
    made = sweep_section(record, b"png", "stem", UNKNOWN)
    assert (made.name, made.detail) == ("tiny on docstrings-package", "DID · fastfood · global scope")
    assert made.picture is not None
    assert made.answer in made.picture.words
    assert json.loads(made.spec) == to_dict(record.spec)
    assert column(table(made, "Points"), 0) == ["16", "64", "256", "512", "1,024", "4,096", "16,384"]
    assert column(table(made, "Both thresholds"), 1) == ["0.7560", "0.7770"]
    assert sweep_section(record, None, "stem", UNKNOWN, "seed 3").detail.endswith(" · seed 3")


def test_failed_runs_are_listed_where_there_are_any(out: Path) -> None:
    assert column(table(section(out, failed=1), "Failed runs"), 2) == ["the loss became NaN at step 31"]
    whole = section(out, png=None, failed=0, seed=1)
    assert (table(whole, "Failed runs"), whole.picture) == (None, None)


def test_facts_are_words(out: Path) -> None:
    found = facts(table(section(out, status="no_baseline"), "Facts"))
    assert found["d90 by an isotonic fit, a second opinion"] == "–"
    assert found["search"] == "posterior, d from 8 to 65,536"
    assert found["examples: training, evaluation"] == (
        "4,000 and 1,200 (each half of the latter scores what the other half chose)"
    )


def test_where_a_verdict_comes_from(out: Path) -> None:
    origin = Provenance(
        1.0e9, "intdim sweep task=mrpc", "/home/me", "2026-11-27 01:36 UTC", "gauss", "0.1.0", "0123", others=2
    )
    found = facts(table(section(out, origin), "Made by"))
    assert found["command"] == "intdim sweep task=mrpc"
    assert found["verdict written"] == "2001-09-09"
    assert found["begun"] == "2026-11-27 01:36 UTC on gauss"
    assert found["intdim"] == "0.1.0, commit 0123"
    assert found["other commands that worked on it"] == "2"
    assert found["packages"] == "torch 2.6.0"
    assert facts(table(section(out, seed=1), "Made by"))["command"].startswith("not known")
