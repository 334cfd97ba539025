"""The page of a report as a reader meets it: on a wide screen and on a telephone, by mouse, by keyboard and by ear."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from .conftest import Opened

WIDTHS = (1280, 390)
OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
KEYS = "return [...document.querySelectorAll('#verdicts tbody tr')].map((row) => row.cells[0].dataset.key ?? '')"
HEAD = "document.querySelectorAll('#verdicts thead')[0].rows[0].cells"


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def nodes(browser: Any) -> list[dict[str, Any]]:
    """What a screen reader is told: role, name and the like of each node."""
    found = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [node for node in found if not node.get("ignored")]


def roles(browser: Any) -> Counter[str]:
    return Counter(node["role"]["value"] for node in nodes(browser))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [*WIDTHS, 768, 1920])
def test_the_page_does_not_scroll_sideways(page: Opened, width: int, dark: bool) -> None:
    browser = page.at(width, dark)
    for opened in (False, True):
        if opened:
            browser.execute_script(OPEN)
        wide, shown = browser.execute_script(
            "const one = document.documentElement; return [one.scrollWidth, one.clientWidth]"
        )
        assert wide <= shown == width
    assert browser.get_log("browser") == []
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 80) is dark


@pytest.mark.parametrize("width", [1280, 1440])
def test_no_table_is_cut_off_on_a_wide_screen(page: Opened, width: int) -> None:
    browser = page.at(width)
    browser.execute_script(OPEN)
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth)"
        ".map((one) => one.querySelector('caption').textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("width", WIDTHS)
def test_d90_and_its_interval_are_seen_first(page: Opened, width: int) -> None:
    browser = page.at(width)
    first = browser.execute_script(
        "const cell = document.querySelector('#verdicts tbody tr').cells[0], box = cell.getBoundingClientRect();"
        "const other = cell.nextElementSibling.getBoundingClientRect();"
        "return {text: cell.innerText, bottom: box.bottom, before: box.top < other.top || box.left < other.left}"
    )
    assert re.search(r"[\d,]+\s+[\d,]+ to [\d,]+", first["text"])
    assert first["before"]
    assert first["bottom"] < 600


@pytest.mark.parametrize("width", WIDTHS)
def test_a_column_sorts_by_its_numbers(page: Opened, width: int) -> None:
    browser = page.at(width)
    before = browser.execute_script(KEYS)
    for order in ("ascending", "descending"):
        browser.execute_script(f"{HEAD}[0].querySelector('button').click()")
        keys = browser.execute_script(KEYS)
        assert sorted(keys) == sorted(before)
        numbers = [float(key) for key in keys if key]
        assert len(numbers) >= 3
        assert numbers == sorted(numbers, reverse=order == "descending")
        assert keys[len(numbers) :] == [""] * (len(keys) - len(numbers)), "what has no number comes last"
        assert browser.execute_script(f"return {HEAD}[0].getAttribute('aria-sort')") == order
        said = browser.execute_script("return document.getElementById('sorted').textContent")
        assert said == f"d90 of each sweep, with its 90 % interval: sorted by d90 and interval, {order}"
    browser.execute_script(f"{HEAD}[1].querySelector('button').click()")
    sorted_by = browser.execute_script(f"return [...{HEAD}].map((one) => one.getAttribute('aria-sort'))")
    assert sorted_by[:2] == [None, "ascending"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_reaches_and_sorts(page: Opened, width: int) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = page.at(width)
    press(browser, Keys.TAB)
    skip = browser.execute_script(
        "const one = document.activeElement, box = one.getBoundingClientRect(); return [one.textContent, box.left]"
    )
    assert skip[0] == "Skip to the verdicts"
    assert skip[1] >= 0, "it is seen when it is reached"
    press(browser, Keys.ENTER)
    press(browser, Keys.TAB)
    assert browser.execute_script("return document.activeElement.textContent") == "d90 and interval"
    outline = browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(browser, Keys.ENTER)
    assert browser.execute_script(f"return {HEAD}[0].getAttribute('aria-sort')") == "ascending"
    press(browser, Keys.SPACE)
    assert browser.execute_script(f"return {HEAD}[0].getAttribute('aria-sort')") == "descending"


def test_a_screen_reader_hears_the_same_tables_at_both_widths(page: Opened) -> None:
    heard = []
    for width in WIDTHS:
        browser = page.at(width)
        browser.execute_script(OPEN)
        counted = roles(browser)
        heard.append({role: counted[role] for role in ("table", "row", "rowheader", "cell", "columnheader")})
    assert heard[0] == heard[1]
    assert heard[0]["table"] > 40
    assert heard[0]["rowheader"] > 100


def test_links_say_where_they_go(page: Opened) -> None:
    browser = page.at(1280)
    browser.execute_script(OPEN)
    links = browser.execute_script(
        "return [...document.querySelectorAll('a')].map((one) => [one.textContent.trim(), one.getAttribute('href')])"
    )
    targets: dict[str, set[str]] = {}
    for name, target in links:
        assert len(name) >= 5, target
        targets.setdefault(name, set()).add(target)
    assert len(targets) > 100
    assert [name for name, found in targets.items() if len(found) > 1] == []
    unnamed = [node for node in nodes(browser) if node["role"]["value"] in ("link", "button", "image")
               and not node.get("name", {}).get("value")]  # fmt: skip
    assert unnamed == []


def test_every_file_that_is_linked_is_there(page: Opened) -> None:
    browser = page.at(1280)
    linked = browser.execute_script(
        "return [...document.querySelectorAll('a')].map((one) => one.href).filter((one) => !one.includes('#'))"
    )
    assert len(linked) > 100
    assert [one for one in linked if not Path(unquote(urlparse(one).path)).is_file()] == []
    inner = browser.execute_script(
        "return [...document.querySelectorAll('a[href^=\"#\"]')].map((one) => one.getAttribute('href').slice(1))"
        ".filter((one) => document.getElementById(one) === null)"
    )
    assert inner == []


def test_a_link_to_a_run_opens_what_hides_it(page: Opened) -> None:
    browser = page.at(1280)
    place = browser.execute_script("return document.querySelector('a[href^=\"#run-\"]').getAttribute('href')")
    for way in ("load", "follow"):
        browser = page.at(1280, place=place if way == "load" else "")
        if way == "follow":
            browser.execute_script("document.querySelector(arguments[0]).click()", f'a[href="{place}"]')
        browser.execute_async_script("setTimeout(arguments[0], 200)")
        top, tall = browser.execute_script(
            "const box = document.getElementById(arguments[0]).getBoundingClientRect(); return [box.top, box.height]",
            place[1:],
        )
        assert tall > 10, way
        assert -1 <= top < 844, way


def test_nothing_from_outside_is_let_in(page: Opened) -> None:
    browser = page.at(1280)
    blocked = browser.execute_async_script(
        "const done = arguments[0], seen = [];"
        "document.addEventListener('securitypolicyviolation', (one) => {"
        "  seen.push(one.effectiveDirective); if (seen.length === 3) done(seen); });"
        "const add = (tag, key, value) => {"
        "  const one = document.createElement(tag); one[key] = value; document.body.append(one); };"
        "add('img', 'src', 'http://127.0.0.1:9/x.png');"
        "add('script', 'textContent', 'window.bad = true');"
        "add('style', 'textContent', 'body { display: none }');"
        "setTimeout(() => done(seen), 3000);"
    )
    assert sorted(blocked) == ["img-src", "script-src-elem", "style-src-elem"]
    assert browser.execute_script("return window.bad") is None


def test_the_page_is_whole_without_its_script(page: Opened) -> None:
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser = page.at(390)
        counted = roles(browser)
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert counted["table"] > 30
    assert counted["button"] == 0, "no button that does nothing"
