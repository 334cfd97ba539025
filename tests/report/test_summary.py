"""The first table of the page: what is shown first, what tells rows apart, where verdicts come from."""

from __future__ import annotations

import os
from pathlib import Path

from intdim.report.differing import differing
from intdim.report.provenance import provenances
from intdim.report.records import read_sweeps
from intdim.report.summary import HEAD, summary_table
from tests import small_ledger

from . import fake


def table(out: Path):
    records = read_sweeps(out)[0]
    return summary_table(records, differing(records), provenances(out, records))


def test_d90_and_its_interval_come_first(out: Path) -> None:
    fake.sweep(out)
    made = table(out)
    assert made.head[0] == "d90 and interval"
    assert (made.rows[0][0].text, made.rows[0][0].note) == ("2,175", "1,871 to 2,545")
    assert "differs in" not in made.head, "where nothing looks alike"


def test_bounds_sort_beside_their_numbers_and_no_answer_has_no_place(out: Path) -> None:
    for number, status in enumerate(fake.STATUSES):
        fake.sweep(out, status=status, seed=number)
    keys = {row[0].text: row[0].key for row in table(out).rows}
    assert keys["≤ 8"] < 8 < 2175 == keys["2,175"] < 65_536 < keys["> 65,536"]
    assert keys["–"] is None


def test_rows_that_look_alike_say_what_differs(out: Path) -> None:
    fake.sweep(out, seed=0)
    fake.sweep(out, seed=3, bounds=(8, 1024))
    fake.sweep(out, seed=4, method="said")
    made = table(out)
    found = [row[HEAD.index("differs in")].text for row in made.rows]
    assert sorted(found) == ["search.d_max 1024, seed 3", "search.d_max 65536, seed 0", "–"]


def test_values_that_differ_are_short(out: Path) -> None:
    fake.sweep(out, seed=0)
    fake.sweep(out, seed=1)
    records = read_sweeps(out)[0]
    specs = [record.spec for record in records]
    from dataclasses import replace

    models = [replace(specs[0].model, fingerprint="a" * 16, reference="x" * 90), specs[1].model]
    changed = [
        replace(one, spec=replace(one.spec, model=model, learning_rates=(1e-3 * (place + 1), 0.1)))
        for place, (one, model) in enumerate(zip(records, models, strict=True))
    ]
    words = differing(changed)[changed[0].sweep_id]
    assert words == f"model.reference {'x' * 23}…, learning_rates 0.001/0.1, seed {specs[0].seed}, and 1 more"


def test_the_command_that_made_a_verdict(out: Path) -> None:
    sweep_id = fake.sweep(out)
    os.utime(out / "sweeps" / sweep_id / "verdict.json", (1.0e9, 1.0e9))

    def command(words: tuple[str, ...], state: str, started: str) -> None:
        made = small_ledger.command(sweep_id, started=started, state=state, ended="2026-11-27T03:00:00Z",
                                    origin={"words": words, "commit": "0123"}, progress={"state": state})  # fmt: skip
        small_ledger.write(out, made)

    records = read_sweeps(out)[0]
    assert provenances(out, records)[sweep_id].command == ""
    command(("intdim", "sweep", "task.path=my reviews"), "finished", "2026-11-27T01:00:00.000Z")
    command(("intdim", "sweep", "again"), "stopped", "2026-11-27T02:00:00.000Z")
    found = provenances(out, records)[sweep_id]
    assert found.command == "intdim sweep 'task.path=my reviews'"
    assert (found.day, found.began, found.commit, found.others) == ("2001-09-09", "2026-11-27 01:00 UTC", "0123", 1)
