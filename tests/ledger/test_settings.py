"""Settings beside each other."""

from __future__ import annotations

from intdim.ledger.settings import differences, flat


def test_tables_within_tables_have_dotted_names() -> None:
    assert flat({"a": 1, "b": {"c": [1, 2], "d": {"e": None}}, "f": {}}) == {
        "a": 1,
        "b.c": [1, 2],
        "b.d.e": None,
        "f": {},
    }


def test_what_differs_and_what_one_side_lacks() -> None:
    first = {"seed": 0, "train": {"steps": 60, "clip": 1.0}, "only": 1}
    second = {"seed": 1, "train": {"steps": 60, "clip": 2.0}}
    assert differences(first, second) == {"seed": (0, 1), "train.clip": (1.0, 2.0), "only": (1, None)}
    assert differences(first, first) == {}
