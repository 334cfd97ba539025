"""The header: every field has a type that is checked, and says no more than the head and the file can hold."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from intdim.artifacts import file
from intdim.artifacts.header import Header, versions_text
from intdim.models.load import Head
from intdim.spec import to_dict


@pytest.fixture(scope="module")
def header(one) -> Header:
    return file.read(one.artifact)[0]


def test_it_comes_back_from_its_json(header: Header) -> None:
    assert Header.of(to_dict(header)) == header
    assert header.recipe.head == Head(2, "single_label_classification")
    assert header.message_bits is None


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Header)])
def test_a_field_of_another_type_or_none_at_all_is_refused(header: Header, name: str) -> None:
    data = to_dict(header)
    with pytest.raises(ValueError, match=rf"Header\.{name}"):
        Header.of(data | {name: [[]]})
    data.pop(name)
    with pytest.raises(ValueError, match="has fields"):
        Header.of(data)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "zip"}, "kind='zip'"),
        ({"outputs": 3}, "outputs=3 for 2 classes"),
        ({"label_names": []}, "outputs=2 for 0 classes"),
        ({"objective": "regression"}, "outputs=2"),
        ({"objective": "prophecy"}, "unknown objective 'prophecy'"),
        ({"theta_norm": -1.0}, "theta_norm=-1.0"),
        ({"theta_norm": float("inf")}, "theta_norm=inf"),
        ({"classes": 2}, "has fields"),
    ],
)
def test_values_that_cannot_be_are_refused(header: Header, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Header.of(to_dict(header) | changes)


def test_versions_in_a_message() -> None:
    assert versions_text({"torch": "2", "intdim": "1", "numpy": "3"}) == "intdim 1, torch 2"
    assert versions_text(None) == "?"
