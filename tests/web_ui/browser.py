"""A real browser without a screen: Debian's chromium, driven by chromedriver."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.end_to_end.engine import turns

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
#: Nothing in the background, no network but loopback.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
#: Below what the driver's own connection waits for an answer.
PAGE_SECONDS = 110
#: Where screenshots of the run are kept, if this variable names a directory.
SCREENSHOTS = "UBUNTU_CI_TEST_SCREENSHOTS"


class PatientService(Service):
    """The driver; selenium asks 70 times whether it answers, half a minute in all, and then gives up."""

    def is_connectable(self) -> bool:
        """Whether it answers, or does so soon."""
        return any(super(PatientService, self).is_connectable() for _ in turns(3, pause=0.1))


def is_installed() -> bool:
    """Whether there is a browser to drive."""
    return bool(shutil.which(CHROMIUM) and shutil.which(DRIVER))


@contextmanager
def running_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with an empty profile, gone afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=PatientService(DRIVER))
    try:
        browser.set_page_load_timeout(PAGE_SECONDS)
        browser.set_script_timeout(PAGE_SECONDS)
        yield browser
    finally:
        browser.quit()


def look_like(browser: webdriver.Chrome, *, width: int, scheme: str = "light", height: int = 1000) -> None:
    """Give the page a size in CSS pixels and a colour scheme (`light`, `dark`)."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def keep_screenshot(browser: webdriver.Chrome, name: str, otherwise: Path) -> Path:
    """A picture of the page as a PNG file, in the directory of this run or `otherwise`."""
    directory = Path(os.environ.get(SCREENSHOTS) or otherwise)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.png"
    assert browser.save_screenshot(str(path))
    return path
