"""Nothing that a package, a log or a person brings can run in a browser."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lander.models import ConsoleLine
from tests.web_ui.exhibits import make_ticket, run

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}&lt;\x1b[31m\x1b]0;x\x07"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'"


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def assert_harmless(page: str) -> None:
    for tag, attributes in Elements(page).found:
        assert tag not in ("iframe", "object", "embed", "style", "base"), tag
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
        if tag == "script":
            assert str(attributes.get("src")).startswith("/static/")
        if tag == "img":
            assert str(attributes.get("src")).startswith("/static/")
        for name in ("href", "src", "action"):
            assert not str(attributes.get(name, "")).lower().strip().startswith(("javascript:", "data:"))
    assert "49" not in re.findall(r"onerror=alert\(2\)&gt;(\d+)", page)


@pytest.fixture
def evil():
    """A ticket in whose every field somebody tried something."""
    ticket = make_ticket(
        EVIL,
        owner=f"{EVIL}@example.com",
        description=EVIL,
        bug_id="javascript:alert(3)",
        add_packages=[EVIL],
        remove_packages=[EVIL],
        base_image=EVIL,
        sources=[(EVIL, EVIL)],
    )
    tests = [{"name": EVIL, "result": "failed", "reason": EVIL, "seconds": 1}]
    results = {EVIL: {"version": EVIL, "verdict": "failed", "tests": tests}}
    job = run(ticket, failed="test", message=EVIL, results=results, log=EVIL + "\n")
    store_log = ticket.subtickets.get().artifacts.get()
    store_log.name = f"{EVIL.replace('/', '')}.log"
    store_log.save()
    for child in job.stages.all():
        ConsoleLine.objects.filter(child=child).update(text=EVIL)
    return ticket


def paths(ticket) -> list[str]:
    subticket = ticket.subtickets.get()
    log = f"/ticket/{ticket.pk}/log/{subticket.pk}/{subticket.artifacts.get().pk}"
    return [
        "/",
        f"/?text={EVIL}&owner={EVIL}&source={EVIL}",
        f"/ticket/{ticket.pk}",
        f"/ticket/{ticket.pk}/now",
        f"/ticket/{ticket.pk}/console/build",
        log,
        f"{log}?q=script",
        f"{log}?q={EVIL}",
        "/engine",
        f"/login?next={EVIL}&name={EVIL}",
        f"/{EVIL}",
    ]


def test_what_comes_in_is_only_text(visitor, oscar, evil):
    for client in (visitor, oscar):
        for path in paths(evil):
            answer = client.get(path)
            assert answer.status_code in (200, 404), path
            assert_harmless(answer.content.decode())


def test_pages_allow_no_script_but_the_engines_own(visitor, evil):
    for path in paths(evil):
        answer = visitor.get(path)
        assert answer["Content-Security-Policy"].startswith(POLICY), path
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"


def test_a_bug_is_a_link_only_if_it_is_one(visitor, evil):
    assert "javascript:alert(3)" in visitor.get(f"/ticket/{evil.pk}").content.decode()


def test_junit_xml_of_a_hostile_stream_is_a_download(visitor, evil):
    stream = evil.artifacts.get(name__endswith=".subunit")
    answer = visitor.get(f"/ticket/{evil.pk}/results/{stream.pk}.xml")
    assert answer["Content-Disposition"].startswith("attachment")


def test_static_files_are_kept_for_ever_under_names_that_tell_their_contents(visitor):
    page = visitor.get("/").content.decode()
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = visitor.get(address)
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
        assert visitor.get(address.replace(".", ".0", 1)).status_code == 404
    assert visitor.get("/static/..%2fapps.py").status_code == 404


def test_files_of_others_are_those_that_their_notes_name():
    for directory, name in (("web_ui/static", "htmx.min.js"), ("tests/web_ui/axe_core", "axe.min.js")):
        folder = Path(__file__).parents[2] / directory
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert digest in (folder / "README.md").read_text(), name


def test_the_api_knows_no_session(alice):
    ticket = make_ticket("Quokka", private=True, submitter="alice")
    assert alice.get(f"/api/v1/ticket/{ticket.pk}/").status_code == 404


def test_errors_are_pages_for_people_and_json_for_programs(visitor):
    page = visitor.get("/ticket/999")
    assert page.status_code == 404
    assert "there is no ticket" in page.content.decode()
    assert visitor.get("/api/v1/ticket/999/").json()["error"]
