"""Words of the data in messages: short, visible, and as they can be typed."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from intdim.tasks.echo import listed, plain, quoted, typed


def test_what_cannot_be_seen_is_written_out():
    assert plain("a\x1b[2Jb\n\tc\xa0d\u200be") == "a\\x1b[2Jb\\n\\tc\\xa0d\\u200be"
    assert plain("café 电影 😀") == "café 电影 😀"
    assert plain("\ud800") == "\\ud800"


def test_long_values_are_cut():
    assert plain("x" * 3000) == "x" * 37 + "..."
    assert quoted("it's") == "'it's'"
    assert quoted(10**30) == "1" + "0" * 30
    assert len(quoted("9" * 400)) == 42
    assert listed("abc", 2) == "a, b, ..."
    assert listed("ab", 2) == "a, b"


@pytest.mark.parametrize(
    "values", [["text"], ["my text", "label"], ["a,b"], ["true"], ["pos | Pos", "neg"], ["-1", "+1"], ["x[0]", "y(z)"]]
)
def test_what_is_shown_can_be_pasted(values):
    for several, wanted in ((True, values), (False, values[:1])):
        (word,) = shlex.split(typed("task.key", wanted, several))
        override = OverridesParser.create().parse_override(word)
        value = override.value()
        assert [str(one) for one in (value if several else [value])] == wanted


@pytest.mark.parametrize("values", [["it's"], ['"'], ["$x y"], ["a\x1b"], ["x y" * 50], []])
def test_what_cannot_be_typed_is_left_out(values):
    assert typed("task.key", values, True) == "task.key=[...]"
