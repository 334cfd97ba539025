from __future__ import annotations

import json
from pathlib import Path

import pandas

from intdim.report.losses import draw_losses, write_losses


def test_losses_are_drawn_beside_their_numbers(tmp_path: Path) -> None:
    lines = [{"step": step, "masked_loss": 9.0 / step, "next_loss": 0.7} for step in (1, 2, 3)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 4, "mas', encoding="utf-8")

    files = write_losses(tmp_path)
    assert [file.name for file in files] == ["loss.csv", "loss.png", "loss.pdf"]
    table = pandas.read_csv(files[0])
    assert table.to_dict("records") == lines, "a torn last line is left out"
    assert files[1].read_bytes()[:4] == b"\x89PNG"
    assert files[2].read_bytes()[:4] == b"%PDF"


def test_each_loss_has_its_panel() -> None:
    both = draw_losses(
        [{"step": 1, "masked_loss": 2.0, "next_loss": 0.7}, {"step": 2, "masked_loss": 1.5, "next_loss": 0.6}]
    )
    assert [axes.get_title(loc="left") for axes in both.axes] == [
        "masked tokens: 1.500 at the end",
        "replaced segments: 0.600 at the end",
    ]
    assert len(draw_losses([{"step": 1, "masked_loss": 2.0}]).axes) == 1
