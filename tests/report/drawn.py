"""Where the text of a figure is: what the tests of every figure check."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

LONG = "organisation-with-a-long-name/some_model-large-uncased-whole-word-masking-v2"


def boxes(figure: Figure) -> list[tuple[str, Any]]:
    """Every text that is drawn (matplotlib keeps many that are not), with its box in pixels."""
    drawn: list[Text] = []
    draw = Text.draw

    def record(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip() and self not in drawn:
            drawn.append(self)
        draw(self, renderer)

    canvas = FigureCanvasAgg(figure)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        canvas.draw()
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in drawn]


def check_text(figure: Figure) -> None:
    """No two texts overlap and none leaves the figure; half a pixel is rounding."""
    found = boxes(figure)
    assert len(found) > 5
    width, height = figure.get_size_inches() * figure.dpi
    for text, box in found:
        assert box.x0 > -0.5, text
        assert box.y0 > -0.5, text
        assert box.x1 < width + 0.5, text
        assert box.y1 < height + 0.5, text
    for (text_a, a), (text_b, b) in itertools.combinations(found, 2):
        apart = a.x1 < b.x0 + 0.5 or b.x1 < a.x0 + 0.5 or a.y1 < b.y0 + 1.0 or b.y1 < a.y0 + 1.0
        assert apart, (text_a, text_b)
