from __future__ import annotations

import base64

from intdim.report.parts import Link, Picture, Table


def test_cells_are_text_or_links() -> None:
    link = Link("a model", "0123")
    table = Table.of("caption", ("name", "d"), [(link, 8), ("b", 1.5)])
    assert table.rows == [[link, "8"], ["b", "1.5"]]
    assert table.head == ("name", "d")


def test_a_picture_is_inside_the_page() -> None:
    picture = Picture.of(b"\x89PNG", "words", "stem")
    assert base64.b64decode(picture.data) == b"\x89PNG"
