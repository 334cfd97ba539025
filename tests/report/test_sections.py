from __future__ import annotations

import json
from pathlib import Path

from intdim.report.sections import plain, sweep_section
from intdim.spec import to_dict

from . import fake


def test_a_section_holds_the_answer_and_what_decided_it(out: Path) -> None:
    record = fake.record(out, failed=1)
    section = sweep_section(record, b"png", "stem")
    assert section.title == "tiny on docstrings-package"
    assert section.picture is not None
    assert section.answer in section.picture.words
    assert json.loads(section.spec) == to_dict(record.spec)
    assert [row[0] for row in section.points.rows] == ["16", "64", "256", "512", "1,024", "4,096", "16,384"]
    assert [row[1] for row in section.thresholds.rows] == ["0.7560", "0.7770"]
    assert list(section.run_ids.values()) == [
        record.verdict.run_ids,
        record.verdict.baseline_run_ids,
        record.verdict.other_run_ids,
    ]


def test_failed_runs_are_listed_where_there_are_any(out: Path) -> None:
    lost = sweep_section(fake.record(out, failed=1), None, "stem").failed
    assert lost is not None
    assert [row[2] for row in lost.rows] == ["the loss became NaN at step 31"]
    whole = sweep_section(fake.record(out, failed=0, seed=1), None, "stem")
    assert (whole.failed, whole.picture) == (None, None)


def test_facts_are_words(out: Path) -> None:
    facts = dict(sweep_section(fake.record(out, status="no_baseline"), None, "stem").facts.rows)
    assert facts["d90 by an isotonic fit, a second opinion"] == "–"
    assert facts["search"] == "posterior, d from 8 to 65,536"
    assert facts["examples: training, evaluation"] == (
        "4,000 and 1,200 (each half of the latter scores what the other half chose)"
    )


def test_plain_values() -> None:
    assert [plain(value) for value in (None, {}, [], 0, 1 / 3, "s")] == ["–", "–", "–", "0", "0.333333", "s"]
