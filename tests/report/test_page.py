from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from intdim.report import report

from . import fake


class Page(HTMLParser):
    """Checks that tags nest, and collects links, sources and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.policy: str | None = None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [str(values[key]) for key in ("href", "src") if key in values]
        self.ids += [str(values["id"])] if "id" in values else []
        if (values.get("http-equiv") or "").lower() == "content-security-policy":
            self.policy = values["content"]
        if tag == "img":
            self.images.append(values)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("polyline", "circle")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}"


@pytest.mark.usefixtures("blank")
def test_the_page_stands_alone_and_is_accessible(out: Path) -> None:
    ids = fake.grid(out)
    fake.sweep(out, model="<script>alert(1)</script>", task='"a" & b')
    (out / "sweeps" / "feedfeedfeedfeed").mkdir()
    folder = report(out)
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert text.count("<script") == 1, "ours, and none by a name"
    assert "feedfeedfeedfeed" in text
    assert len(page.images) == 4
    for image in page.images:
        assert str(image["src"]).startswith("data:image/png;base64,")
        assert len(str(image["alt"])) > 30
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("data:"):
            assert (folder / link).exists(), link
    assert "http" not in re.sub(r"data:image[^\"]*", "", text)
    assert '<html lang="en">' in text
    style = text.partition("<style>")[2].partition("</style>")[0]
    script = text.partition("<script>")[2].partition("</script>")[0]
    assert page.policy == (
        f"default-src 'none'; style-src '{digest(style)}'; script-src '{digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\s(style|on\w+)=", text), "the policy would not let it through"
    assert "prefers-color-scheme: dark" in text
    assert len(page.ids) == len(set(page.ids))
    for sweep_id in ids:
        verdict = json.loads((out / "sweeps" / sweep_id / "verdict.json").read_text())
        assert verdict["message"] in text
        assert all(run_id in text for run_id in verdict["run_ids"] + verdict["baseline_run_ids"])


def test_text_can_be_read_in_both_schemes() -> None:
    style = (Path(__file__).parents[2] / "intdim" / "report" / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks]
    assert len(schemes) == 2
    for colours in schemes:
        for ground in ("paper", "stripe", "mark"):
            for text in ("ink", "quiet", "link", "answer"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours by WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
