from __future__ import annotations

import base64

from intdim.report.parts import Cell, Link, Picture, Table, number


def test_cells_are_made_of_what_is_no_cell() -> None:
    table = Table.of("caption", ("name", "d"), [(Link("a model", "#0123"), 8), ("a name longer than a number", 1.5)])
    assert table.rows[0] == [Cell("a model", href="#0123"), Cell("8", look="number")]
    assert table.rows[1] == [Cell("a name longer than a number"), Cell("1.5", look="number")]
    assert table.head == ("name", "d")
    kept = number("1,000", 1000)
    assert Table.of("", ("d",), [(kept,)]).rows[0][0] is kept


def test_a_picture_is_inside_the_page() -> None:
    picture = Picture.of(b"\x89PNG", "words", "stem")
    assert base64.b64decode(picture.data) == b"\x89PNG"
