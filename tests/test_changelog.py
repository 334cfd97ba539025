"""The changelog names the version integers that are in force."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intdim.spec import LAYOUT_VERSION, STREAM_VERSION, STREAM_VERSIONS, TRAINING_VERSION

TEXT = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("`stream_version`", STREAM_VERSION),
        ("`training_version`", TRAINING_VERSION),
        ("`layout_version`", LAYOUT_VERSION),
        *((f"`stream_version` of `{projection}`", version) for projection, version in STREAM_VERSIONS.items()),
    ],
)
def test_the_newest_mention_of_a_version_is_the_one_in_force(name: str, value: int) -> None:
    found = re.search(rf"{name}\s+(?:is\s+)?(\d+)", TEXT)
    assert found is not None
    assert int(found[1]) == value
