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

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.usefixtures("blank")
def test_the_page_stands_alone_and_is_accessible(out: Path) -> None:
    ids = fake.grid(out)
    fake.sweep(out, model="<script>alert(1)</script>", task='"a" & b')
    (out / "sweeps" / "feedfeedfeedfeed").mkdir()
    folder = report(out)
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert "<script" not in text
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
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode()
    assert page.policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\s(style|on\w+)=", text), "the policy would not let it through"
    assert "prefers-color-scheme: dark" in text
    assert len(page.ids) == len(set(page.ids))
    for sweep_id in ids:
        verdict = json.loads((out / "sweeps" / sweep_id / "verdict.json").read_text())
        assert verdict["message"] in text
        assert all(run_id in text for run_id in verdict["run_ids"] + verdict["baseline_run_ids"])
