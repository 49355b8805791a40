"""The page of a ticket: its way, why it failed, what it brings and leaves, what people do with it."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

import pytest

from ci_utils.hosting import ports
from tests.web_ui.conftest import page_of
from tests.web_ui.exhibits import make_ticket, run
from ticket_system.models import TicketArtifact
from web_ui.domain import ticket_page
from web_ui.domain.files import TicketFile

pytestmark = pytest.mark.django_db


def bar(page: str) -> list[tuple[str, str]]:
    return re.findall(r'<li class="is-(\w+)"><span class="label">(\w+)', page)


def test_the_bar_shows_where_a_ticket_is(visitor):
    ticket = make_ticket()
    run(ticket, until="test", message="testing hello (1 of 2)")
    page = page_of(visitor, ticket)
    assert bar(page) == [
        ("done", "Queue"),
        ("done", "Build"),
        ("done", "Image"),
        ("running", "Test"),
        ("waiting", "Publish"),
    ]
    assert "testing hello (1 of 2)" in page
    assert "1 min 24 s" in page
    assert 'hx-trigger="every 2s"' in page


@pytest.mark.parametrize(
    ("failed", "states"),
    [
        ("build", ["done", "failed", "skipped", "skipped", "skipped"]),
        ("test", ["done", "done", "done", "failed", "skipped"]),
    ],
)
def test_a_ticket_that_failed_shows_where_why_and_what_to_do(visitor, failed, states):
    ticket = make_ticket()
    run(ticket, failed=failed, message="hello does not build on amd64")
    page = page_of(visitor, ticket)
    assert [state for state, _ in bar(page)] == states
    assert "hello does not build on amd64" in page
    assert "What to do next" in page
    last = "returned exit status 2" if failed == "build" else "test greets: FAIL"
    assert last in page[page.index("<pre>") : page.index("</pre>")]
    assert "hx-get" not in page[page.index('id="now"') : page.index('class="happening"')]


def test_a_ticket_that_landed_shows_tests_image_and_files(visitor):
    ticket = make_ticket(add_packages=["hello"], remove_packages=["nano"], bug_id="1012345")
    run(ticket)
    page = page_of(visitor, ticket)
    assert [state for state, _ in bar(page)] == ["done"] * 5
    for shown in ("hello: upstream", "(superficial)", "2.36-9+deb12u8 → 2.36-9+deb12u9", "as JUnit XML"):
        assert shown in page
    assert 'href="https://bugs.launchpad.net/bugs/1012345"' in page


@pytest.mark.parametrize(
    ("packages", "told"),
    [(1, "1 package<"), (500, "500 packages<"), (501, "the first 500 of 501 packages<")],
)
def test_a_long_list_of_changes_says_how_long_it_is(visitor, packages, told):
    ticket = ticket_with_changes("".join(f"+ package-{n} 1.0\n" for n in range(packages)))
    page = page_of(visitor, ticket)
    assert f"The image against its base: {told}" in page
    assert ("All of them are in" in page) == (packages > 500)


def test_a_list_of_changes_too_long_to_be_counted_has_no_cut_package(visitor):
    lines = "".join(f"+ package-{n} {'9' * 1000}\n" for n in range(300))
    page = page_of(visitor, ticket_with_changes(lines))
    found = re.search(r"its base: the first (\d+) of more than (\d+) packages<", page)
    assert found
    assert found[1] == found[2]
    versions = re.findall(r">(9+)</td>", page)
    assert len(versions) == int(found[1]) > 200
    assert {len(version) for version in versions} == {1000}


def ticket_with_changes(difference: str):
    ticket = make_ticket()
    store = ports.data_stores().open(f"ticket.{ticket.pk}", "exhibit", public=True)
    name = "lander-1-image.manifest-diff"
    reference = store.put_file(name, difference.encode())
    TicketArtifact.objects.create(ticket=ticket, name=name, type="LOGS", reference=reference)
    return ticket


def test_tests_link_the_log_of_their_own_source(visitor):
    names = ("lander-1-test-python-hello-autopkgtest.log", "lander-1-test-hello-autopkgtest.log")
    files = [TicketFile(n, "ticket", name, "LOGS", "", "") for n, name in enumerate(names)]
    test = {"name": "smoke", "result": "pass", "reason": "", "seconds": 1.0}
    judged = {source: {"tests": [test]} for source in ("hello", "python-hello")}
    job = {"stages": [{"stage": "test", "result": {"results": {"sources": judged}}}]}
    logs = {row.source: row.log.name for row in ticket_page.tests_of(job, files) if row.log}
    assert logs == {"python-hello": names[0], "hello": names[1]}


def test_a_ticket_without_anything_yet_has_a_page(visitor):
    page = page_of(visitor, make_ticket(sources=[]))
    assert "no source package yet" in page
    assert [state for state, _ in bar(page)] == ["waiting"] * 5


def test_the_moving_part_comes_alone_until_another_stage_begins(visitor):
    ticket = make_ticket()
    job = run(ticket, until="build")
    address = polled(page_of(visitor, ticket))
    alone = visitor.get(address)
    assert "HX-Retarget" not in alone.headers
    assert b"History" not in alone.content
    job.stages.filter(stage="build").update(state="SUCCESS")
    job.stages.filter(stage="image").update(state="RUNNING")
    whole = visitor.get(address)
    assert (whole["HX-Retarget"], whole["HX-Reselect"]) == ("#live", "#live")
    assert b'id="live"' in whole.content
    assert b"History" in whole.content


def test_readers_of_screens_are_told_what_is_new_once_and_outside_of_what_is_exchanged(visitor):
    ticket = make_ticket()
    run(ticket, until="build", message="fetching hello")
    page = page_of(visitor, ticket)
    region = re.search(r'<p [^>]*id="said" role="status"[^>]*>(.*?)</p>', page)
    assert region
    assert region[1] == "Building: fetching hello"
    assert region.start() < page.index('id="live"')
    assert "hx-swap-oob" not in visitor.get(polled(page)).content.decode()
    ticket.message = "compiling hello"
    ticket.save()
    more = visitor.get(polled(page)).content.decode()
    assert 'hx-swap-oob="innerHTML">Building: compiling hello</p>' in more
    assert "hx-swap-oob" not in visitor.get(polled(more)).content.decode()


def polled(page: str) -> str:
    """The address that the page asks again and again."""
    (address,) = re.findall(r'hx-get="([^"]+)"', page)
    return unescape(address)


def test_who_may_not_see_a_ticket_does_not_learn_that_it_is_there(visitor, bob, alice, oscar):
    ticket = make_ticket("Quokka", private=True, submitter="alice", sources=[("quokka", "1-1")])
    run(ticket, failed="test", message="quokka failed")
    file = ticket.artifacts.get(name__endswith="-autopkgtest.log")
    for path in ("", "/now", f"/log/0/{file.pk}", f"/results/{file.pk}.xml", "/console/build"):
        missing = visitor.get(f"/ticket/{ticket.pk + 1000}{path}")
        for client in (visitor, bob):
            answer = client.get(f"/ticket/{ticket.pk}{path}")
            assert (answer.status_code, missing.status_code) == (404, 404), path
            assert b"quokka" not in answer.content.lower()
        for client in (alice, oscar):
            expected = 400 if path.startswith("/results") else 200  # it is no stream of results
            assert client.get(f"/ticket/{ticket.pk}{path}").status_code == expected, path
    for client in (alice, oscar):
        assert "test greets: FAIL" in page_of(client, ticket)


def test_results_come_as_junit_xml(visitor):
    ticket = make_ticket()
    run(ticket)
    stream = ticket.artifacts.get(name__endswith=".subunit")
    answer = visitor.get(f"/ticket/{ticket.pk}/results/{stream.pk}.xml")
    assert answer["Content-Disposition"].startswith("attachment")
    suite = ElementTree.fromstring(answer.content)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


class TestButtons:
    def test_are_for_those_who_may(self, visitor, alice, bob, oscar):
        ticket = make_ticket(submitter="alice")
        assert "Cancel it" in page_of(alice, ticket)
        assert "Cancel it" in page_of(oscar, ticket)
        assert "Cancel it" not in page_of(bob, ticket)
        assert "Cancel it" not in page_of(visitor, ticket)

    def test_cancel(self, alice):
        ticket = make_ticket(submitter="alice")
        answer = alice.post(f"/ticket/{ticket.pk}/cancel")
        assert answer["Location"] == f"/ticket/{ticket.pk}"
        ticket.refresh_from_db()
        assert ticket.status == "998"
        assert "It was cancelled" in page_of(alice, ticket)

    def test_what_the_ticket_system_refuses_is_said(self, alice, bob):
        ticket = make_ticket(submitter="alice", sources=[])
        queued = alice.post(f"/ticket/{ticket.pk}/queue")
        assert queued.status_code == 400
        assert "has no source package" in queued.content.decode()
        assert bob.post(f"/ticket/{ticket.pk}/cancel").status_code == 403
        landed = make_ticket(submitter="alice")
        run(landed)
        assert alice.post(f"/ticket/{landed.pk}/retry").status_code == 409

    @pytest.mark.parametrize("action", ["queue", "cancel", "retry"])
    def test_need_a_log_in_and_the_form(self, visitor, alice, action):
        ticket = make_ticket(submitter="alice")
        path = f"/ticket/{ticket.pk}/{action}"
        assert visitor.post(path).status_code == 403  # no token of a form
        assert alice.get(path).status_code == 405
        strict = type(alice)(SERVER_NAME="localhost", enforce_csrf_checks=True)
        strict.cookies = alice.cookies
        assert strict.post(path).status_code == 403
        ticket.refresh_from_db()
        assert ticket.status == "000"
