"""The pages in a real browser, over a real engine whose stages do nothing but wait for a gate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from tests.end_to_end.engine import Engine
from tests.web_ui.axe import findings
from tests.web_ui.browser import is_installed, keep_screenshot, look_like, running_browser
from tests.web_ui.gated_engine import GATE, PASSWORD

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not is_installed(), reason="needs Debian's chromium and chromium-driver"),
]

PROGRAM = (sys.executable, "-m", "tests.web_ui.gated_engine")
SECONDS = 240
SIZES = [400, 1600]
SCHEMES = ["light", "dark"]
#: What readers of screens are told of a ticket.
SAID = "document.getElementById('said')"


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    made: Path = tmp_path_factory.mktemp("web-ui")
    return made


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with throw_away_key("Alice <alice@example.com>") as made:
        yield made


@pytest.fixture(scope="module")
def engine(directory: Path, key: SigningKey) -> Iterator[Engine]:
    data_dir = directory / "data"
    data_dir.mkdir(mode=0o755)
    running = Engine(data_dir, {"UCI_LOG_LEVEL": "warning"}, directory / "engine.log", program=PROGRAM)
    try:
        running.start()
        public = directory / "uploader.asc"
        public.write_bytes(key.public("--armor"))
        added = running.command("uploader", "add", public)
        assert added.returncode == 0, added.stderr
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def chrome(directory: Path) -> Iterator[Chrome]:
    with running_browser(directory / "profile") as running:
        yield running


@pytest.fixture
def browser(chrome: Chrome, engine: Engine) -> Iterator[Chrome]:
    """The browser, logged out, at a usual size; at the end it has nothing to complain of."""
    look_like(chrome, width=1200)
    chrome.get(engine.url + "/login")
    chrome.delete_all_cookies()
    chrome.get_log("browser")
    yield chrome
    complaints = [
        entry["message"]
        for entry in chrome.get_log("browser")
        if "status of 4" not in entry["message"]  # pages of errors that a test asks for
    ]
    assert complaints == []


@pytest.fixture
def picture(browser: Chrome, directory: Path) -> Callable[[str], Path]:
    return lambda name: keep_screenshot(browser, name, directory / "screenshots")


def wait_for(browser: Chrome, text: str) -> None:
    """Until the page says this, by itself. Asked in one step: parts of pages come anew at any time."""
    says = "return (document.querySelector('main')?.innerText ?? '').includes(arguments[0])"
    WebDriverWait(browser, SECONDS, poll_frequency=0.1).until(
        lambda driver: driver.execute_script(says, text), f"the page does not say {text!r}"
    )


def wait_until(browser: Chrome, script: str, *values: str) -> None:
    """Until a script says so: a click can be answered before the next page comes."""
    WebDriverWait(browser, SECONDS, poll_frequency=0.1).until(
        lambda driver: driver.execute_script(f"return {script}", *values), f"{script} {values}"
    )


def log_in(browser: Chrome, engine: Engine, name: str) -> None:
    browser.get(engine.url + "/login")
    browser.find_element(By.ID, "name").send_keys(name)
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    press(browser, "main form .button.first")
    wait_until(browser, "document.querySelector('.who b')?.title === arguments[0]", name)


def press(browser: Chrome, selector: str) -> None:
    browser.find_element(By.CSS_SELECTOR, selector).click()


def follow(browser: Chrome, by: str, value: str) -> None:
    """Click what leads to another page, and wait until that one has come in place of this."""
    here = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(by, value).click()
    WebDriverWait(browser, SECONDS, poll_frequency=0.1).until(staleness_of(here), f"{value} leads nowhere")
    wait_until(browser, "document.readyState === 'complete'")


def create(browser: Chrome, engine: Engine, title: str, changes: Path) -> None:
    """Fill the form as a person does."""
    browser.get(engine.url + "/new")
    browser.find_element(By.ID, "title").send_keys(title)
    browser.find_element(By.ID, "owner-field").send_keys("alice@example.com")
    browser.find_element(By.ID, "description").send_keys("In every language.\nAlso in this.")
    files = "\n".join(str(path) for path in changes.parent.iterdir())
    browser.find_element(By.ID, "files").send_keys(files)
    press(browser, "form.form .button.first")


def bar(browser: Chrome) -> list[str]:
    """The states of the stages."""
    script = "return [...document.querySelectorAll('.bar > li')].map(stage => stage.className)"
    return [str(name).removeprefix("is-") for name in browser.execute_script(script)]


def test_a_ticket_is_followed_from_its_creation_to_its_end(browser, engine, picture, key, directory):
    (engine.data_dir / GATE).unlink(missing_ok=True)
    log_in(browser, engine, "alice")
    create(browser, engine, "Greet the world", Upload().write(directory / "hello", key))
    wait_for(browser, "installing the packages in the image (2 of 4)")
    wait_for(browser, "Imaging")
    assert bar(browser) == ["done", "done", "running", "waiting", "waiting"]
    wait_until(browser, f"{SAID}.textContent.includes('installing the packages')")
    browser.execute_script(f"{SAID}.dataset.kept = 'yes'")
    picture("ticket-on-its-way")
    (engine.data_dir / GATE).touch()
    wait_for(browser, "Complete")
    wait_for(browser, "History")
    wait_until(browser, f"{SAID}.textContent.startsWith('Complete')")
    assert browser.execute_script(f"return {SAID}.dataset.kept") == "yes"
    assert bar(browser) == ["done"] * 5
    picture("ticket-that-landed")


def test_a_ticket_that_fails_says_why_and_shows_its_log(browser, engine, picture, key, directory):
    (engine.data_dir / GATE).touch()
    log_in(browser, engine, "alice")
    upload = Upload(source="goodbye", version="1.0-1")
    create(browser, engine, "Say goodbye", upload.write(directory / "goodbye", key))
    wait_for(browser, "It failed at: Image Testing")
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "DEP-8 tests failed on the image: goodbye.greets" in text
    assert "no greeting at all" in browser.find_element(By.CSS_SELECTOR, ".excerpt pre").text
    assert "What to do next" in text
    picture("ticket-that-failed")
    follow(browser, By.LINK_TEXT, "log")
    wait_for(browser, "with “greets”")
    browser.find_element(By.CSS_SELECTOR, ".log .l > a").click()
    wait_until(browser, "document.querySelector('.l:target') !== null")
    assert browser.find_element(By.CSS_SELECTOR, ".l:target").text.endswith("test greets: [-----")
    picture("log")


def test_what_is_wrong_with_an_upload_is_said_in_the_form(browser, engine, picture, key, directory):
    log_in(browser, engine, "alice")
    changes = Upload(version="9-1").write(directory / "incomplete", key)
    (changes.parent / "hello_9-1.dsc").unlink()
    create(browser, engine, "Greet the world", changes)
    wait_for(browser, "lists hello_9-1.dsc, which was not chosen")
    assert browser.find_element(By.ID, "title").get_attribute("value") == "Greet the world"
    picture("form-with-an-error")


def test_a_private_ticket_is_not_there_for_others(browser, engine):
    def sees(path: str) -> bool:
        browser.get(engine.url + path)
        return "quokka" in browser.page_source.lower()

    log_in(browser, engine, "alice")
    assert sees("/?text=quokka+private")
    follow(browser, By.CLASS_NAME, "title")
    address = browser.current_url.removeprefix(engine.url)
    assert sees(address)
    for name in ("bob", ""):
        browser.delete_all_cookies()
        if name:
            log_in(browser, engine, name)
        assert not sees(address), name
        assert not sees("/"), name
    log_in(browser, engine, "oscar")
    assert sees(address)


def test_a_wrong_password_is_said_and_the_way_goes_on_after_the_right_one(browser, engine, picture):
    browser.get(engine.url + "/engine")
    follow(browser, By.CSS_SELECTOR, ".who a")
    browser.find_element(By.ID, "name").send_keys("alice")
    browser.find_element(By.ID, "password").send_keys("a guess")
    press(browser, "main form .button.first")
    wait_for(browser, "do not belong together")
    picture("log-in")
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    press(browser, "main form .button.first")
    wait_until(browser, "location.pathname === '/engine'")
    press(browser, ".who button")
    wait_until(browser, "document.querySelector('.who a')?.innerText === 'Log in'")


def test_nothing_that_a_ticket_brings_runs(browser, engine):
    evil = "<script>document.title='st'+'olen'</script><img src=x onerror=\"document.title='st'+'olen'\">"
    draft = {"title": evil, "owner": "a@example.com", "description": evil, "bug_id": "javascript:alert(1)"}
    ticket = engine.client.post("ticket/", draft)
    for path in (f"/ticket/{ticket['id']}", "/", f"/?text={evil}", f"/{evil}"):
        browser.get(engine.url + path)
        assert "stolen" not in browser.title
        assert browser.execute_script("return document.images.length") == 1
        assert evil in browser.find_element(By.TAG_NAME, "body").text or path.endswith(evil)
    injected = "const s = document.createElement('script'); s.textContent = 'document.title=\"stolen\"';"
    browser.execute_script(f"{injected} document.body.append(s)")
    assert "stolen" not in browser.title
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", SIZES)
def test_pages_are_for_every_size_scheme_and_reader(browser, engine, picture, width, scheme):
    log_in(browser, engine, "oscar")
    browser.get(engine.url + "/?text=klingon")
    failed = browser.find_element(By.CLASS_NAME, "title").get_attribute("href").removeprefix(engine.url)
    pages = {"tickets": "/", "ticket": failed, "engine": "/engine", "new": "/new"}
    for name, path in pages.items():
        look_like(browser, width=width, scheme=scheme, height=1400)
        browser.get(engine.url + path)
        picture(f"{name}-{width}-{scheme}")
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} pixels wide"
        assert findings(browser) == [], name
    press(browser, ".who button")
    wait_until(browser, "document.querySelector('.who a') !== null")
    for name, path in (("log-in", "/login"), ("missing", "/ticket/99999")):
        browser.get(engine.url + path)
        picture(f"{name}-{width}-{scheme}")
        assert findings(browser) == [], name


def test_a_log_can_be_read_by_everybody(browser, engine, picture):
    browser.get(engine.url + "/?text=klingon")
    follow(browser, By.CLASS_NAME, "title")
    follow(browser, By.PARTIAL_LINK_TEXT, "build.log")
    wait_for(browser, "error: part1499.c:12:5: expected ';' before 'return'")
    assert browser.find_element(By.CSS_SELECTOR, ".a-red").value_of_css_property("font-weight") == "700"
    for scheme in SCHEMES:
        look_like(browser, width=1200, scheme=scheme)
        assert findings(browser) == []
        picture(f"log-of-a-build-{scheme}")


def test_the_keyboard_alone_is_enough(browser, engine):
    browser.get(engine.url + "/")
    first = browser.switch_to.active_element
    first.send_keys("\ue004")
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the content"
    skip.send_keys("\ue007")
    wait_until(browser, "document.activeElement.id === 'main'")


def test_nothing_moves_while_a_page_comes_up(browser, engine):
    browser.get(engine.url + "/?text=klingon")
    follow(browser, By.CLASS_NAME, "title")
    shift = """
        const done = arguments[0];
        let sum = 0;
        new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value; })
            .observe({type: 'layout-shift', buffered: true});
        setTimeout(() => done(sum), 500);
    """
    for path in ("/", "/engine", browser.current_url.removeprefix(engine.url)):
        browser.get(engine.url + path)
        assert browser.execute_async_script(shift) < 0.01, path


def test_pages_work_without_scripts(browser, engine):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        log_in(browser, engine, "alice")
        follow(browser, By.LINK_TEXT, "Tickets")
        browser.find_element(By.ID, "text").send_keys("klingon")
        follow(browser, By.CSS_SELECTOR, ".filters .button")
        follow(browser, By.CLASS_NAME, "title")
        assert "hello does not build on amd64" in browser.page_source
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
