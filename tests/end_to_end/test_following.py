"""Somebody looks, in a browser, at the log of a real build while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.end_to_end.engine import Engine
from tests.source_packages import SourcePackage
from tests.web_ui.browser import is_installed, keep_screenshot, look_like, running_browser

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_installed(), reason="chromium or chromedriver is missing (bin/setup --test)"),
]

PARTS = 12
#: Makes parts for a while, and ends in a mistake, so that nothing has to boot.
BUILD = f'for part in `seq {PARTS}`; do echo "part $$part is made"; sleep 3; done; echo no more; exit 1'
SECONDS = 300
SAYS = "return (document.querySelector('main')?.innerText ?? '').includes(arguments[0])"
MADE = "return (document.querySelector('.log').innerText.match(/part \\d+ is made/g) ?? []).length"


def followed(browser: WebDriver) -> bool:
    browser.find_element(By.LINK_TEXT, "follow its log").click()
    return True


def test_the_log_of_a_running_build_grows_on_the_page_and_ends_there(
    engine: Engine, uploader, tmp_path: Path
):
    changes = SourcePackage("growing", "1.0", build=BUILD).upload(tmp_path, uploader)

    with running_browser(tmp_path / "profile") as browser:
        look_like(browser, width=1200)
        browser.get(engine.url)  # a browser that comes up slowly would find the build at its end
        sent = engine.ubuntu_ci("-v", "1", "create_ticket", "-o", "me@example.com", "-s", changes)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        ticket = int(sent.stdout.split()[0])
        changing = [NoSuchElementException, StaleElementReferenceException]  # the page replaces its parts
        wait = WebDriverWait(browser, SECONDS, poll_frequency=0.2, ignored_exceptions=changing)
        browser.get(f"{engine.url}/ticket/{ticket}")
        wait.until(followed)
        wait.until(lambda driver: driver.execute_script(SAYS, "part 1 is made"))
        seen = [browser.execute_script(MADE)]
        wait.until(lambda driver: driver.execute_script(MADE) > seen[0])
        seen.append(browser.execute_script(MADE))
        picture = keep_screenshot(browser, "running-build", tmp_path)
        wait.until(lambda driver: driver.execute_script(SAYS, "The log has ended"))
        seen.append(browser.execute_script(MADE))

    assert picture.stat().st_size > 0
    assert seen[0] < seen[1] < seen[2] == PARTS
    assert engine.wait_for_end(ticket)["failed_workflow_step"] == "200"
