"""Published values stand beside ours where the same thing was measured, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from intdim.report import report
from intdim.report.published import Comparison, claims, comparisons, published
from intdim.report.records import read_sweeps

from . import fake


def compared(out: Path, **more: object) -> list[Comparison]:
    fake.sweep(out, model="roberta-base", task="mrpc", **more)  # pyright: ignore[reportArgumentType]
    return comparisons(read_sweeps(out, None)[0])


def test_the_table_of_the_paper_is_whole() -> None:
    rows = [row for row in published() if row.paper == "arXiv 2012.13255"]
    cells = {(row.model, row.task, row.method) for row in rows}
    assert len(rows) == len(cells) == 16
    values = {(row.model, row.task): row.d90 for row in rows if row.method == "said"}
    assert values["roberta-large", "mrpc"] == 207  # the number that the abstract's claim rests on


def test_the_networks_of_2018_are_known_by_both_of_their_bars() -> None:
    rows = [row for row in published() if row.paper == "arXiv 1804.08838"]
    known = {(row.model, row.task, row.threshold): row.d90 for row in rows}
    assert len(known) == len(rows)
    assert known["fc-784-200-200-10", "mnist", 0.9] == 750
    assert known["fc-784-200-200-10", "mnist", None] == 625, "0.9 of the baseline is another question"


@pytest.mark.parametrize(("bar", "published_d90"), [(0.9, [625, 750]), (0.88, [625])])
def test_a_bar_of_its_own_is_compared_where_ours_is_the_same(out: Path, bar: float, published_d90: list[int]) -> None:
    fake.sweep(out, model="fc-784-200-200-10", task="mnist", threshold=bar, d90=700.0)
    rows = comparisons(read_sweeps(out, None)[0])
    assert sorted(row.published_d90 for row in rows) == published_d90


def test_the_claims_have_a_direction_and_a_source() -> None:
    assert set(claims()) == {"updates", "size", "score", "gap"}
    assert {row.direction for row in claims().values()} == {"falls", "rises"}
    assert all(row.paper and row.place for row in claims().values())


def test_a_found_verdict_has_a_ratio(out: Path) -> None:
    [row] = compared(out, d90=1250.0, d90_low=900.0, d90_high=1600.0)
    assert (row.published_d90, row.ratio, row.inside_interval) == (1000, 1.25, True)


def test_a_published_value_outside_the_interval_is_said_to_be(out: Path) -> None:
    [row] = compared(out, d90=1250.0, d90_low=1100.0, d90_high=1600.0)
    assert row.inside_interval is False


@pytest.mark.parametrize(
    ("status", "bounds", "inside"),
    [
        ("below_range", (2000, 4000), True),
        ("below_range", (500, 4000), False),
        ("above_range", (8, 500), True),
        ("above_range", (8, 4000), False),
        ("budget_spent", (8, 4000), None),
    ],
)
def test_a_censored_verdict_has_no_ratio(out: Path, status: str, bounds: tuple[int, int], inside: bool | None) -> None:
    [row] = compared(out, status=status, bounds=bounds, ds=(bounds[0], bounds[1]), d_min=bounds[0], d_max=bounds[1])
    assert row.ratio is None
    assert row.d90 is None
    assert row.inside_interval is inside


@pytest.mark.parametrize("more", [{"fraction": 0.8}, {"threshold_kind": "above_chance"}])
def test_another_threshold_is_not_compared(out: Path, more: dict[str, object]) -> None:
    assert compared(out, **more) == []


def test_another_model_is_not_compared(out: Path) -> None:
    fake.sweep(out, model="tiny", task="mrpc")
    assert comparisons(read_sweeps(out, None)[0]) == []


@pytest.mark.usefixtures("blank")
def test_the_report_shows_both(out: Path) -> None:
    fake.sweep(out, model="roberta-base", task="mrpc", d90=1250.0, d90_low=900.0, d90_high=1600.0)
    folder = report(out)
    table = pandas.read_csv(folder / "published.csv")
    assert table["ratio"].tolist() == [1.25]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Beside published values" in page
    assert "arXiv 2012.13255, Table 1" in page


@pytest.mark.usefixtures("blank")
def test_without_a_counterpart_there_is_no_table(out: Path) -> None:
    fake.sweep(out)
    folder = report(out)
    assert not (folder / "published.csv").exists()
    assert "published" not in (folder / "index.html").read_text(encoding="utf-8").lower()
