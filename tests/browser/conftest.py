"""A report of made-up sweeps in headless Chromium. Where no browser is installed, these tests are skipped."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from intdim.ledger.store import Ledger
from intdim.report import report
from tests.report import fake

NAMES = ("chromium", "chromium-browser", "google-chrome")
LONG = "organisation-with-a-long-name/some_model-large-uncased-whole-word-masking-v2"
# One pixel: the browser has something to show, and no figure need be drawn.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    control = shutil.which("chromedriver")
    if browser is None or control is None:
        pytest.skip("chromium or chromedriver is not installed (Debian: apt-get install chromium chromium-driver)")

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(control))
    yield made
    made.quit()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of sweeps of every status, two of which look alike, with published counterparts and learning curves."""
    out = tmp_path_factory.mktemp("page") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        patch.setattr("intdim.report.style.render", lambda *_, **__: PIXEL)
        Ledger(out).open()
        few: dict[str, Any] = {"task": "mrpc", "ds": (64, 512, 4096), "seeds": 2}
        for number, status in enumerate(fake.STATUSES):
            method = "said" if number % 2 else "did"
            case: dict[str, Any] = {"status": status, "seed": number, "method": method, "middle": 300.0 * 2**number}
            fake.sweep(out, model="roberta-base" if number else LONG, warnings=["A doubt."], **case, **few)
        for seed in (20, 21):
            fake.sweep(out, model="roberta-base", seed=seed, middle=90.0 + seed, **few)
        for place in (out / "runs").iterdir():
            lines = [{"step": 10 * k, "eval_score": 0.3 + k / 50} for k in range(1, 9)]
            (place / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
        return report(out)


class Opened:
    """The page at a width.

    Args:
        driver: the browser.
        address: of the page.
    """

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address

    def at(self, width: int, dark: bool = False, place: str = "") -> Any:
        """Load the page anew at a width in CSS pixels; return the browser."""
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(self.address + place)
        return self.driver


@pytest.fixture
def page(driver: Any, folder: Path) -> Opened:
    """The page, to be opened at a width."""
    return Opened(driver, (folder / "index.html").as_uri())
