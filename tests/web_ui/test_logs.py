"""Logs: pages of lines by byte ranges, search, colours, and consoles that grow."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from ci_utils.errors import CIError
from ci_utils.hosting import ports
from lander.models import ChildJob, ConsoleLine
from tests.branch_source_builder.test_live_log import PPA, GrowingLog
from tests.web_ui.exhibits import make_ticket, run
from ticket_system.models import TicketArtifact
from web_ui.domain.ansi import coloured, plain
from web_ui.domain.files import FileClient
from web_ui.domain.log_index import BLOCK_BYTES, build_index

pytestmark = pytest.mark.django_db

LINES = 100_000


def shown(answer: Any) -> list[tuple[int, str]]:
    """Numbers and texts of the lines on a page."""
    found = re.findall(
        r'<div class="l[^>]*>(?:<a [^>]*>)(\d+)</a><code>(.*?)</code>', answer.content.decode()
    )
    return [(int(number), text) for number, text in found]


def log_of(content: bytes, name: str = "build.log") -> str:
    """The address of a log with these contents."""
    ticket = make_ticket()
    store = ports.data_stores().open(f"ticket.{ticket.pk}", "exhibit", public=True)
    file = TicketArtifact.objects.create(
        ticket=ticket, name=name, type="LOGS", reference=store.put_file(name, content)
    )
    return f"/ticket/{ticket.pk}/log/0/{file.pk}"


@pytest.fixture
def long_log() -> str:
    return log_of(b"".join(b"line %d of the log\n" % n for n in range(1, LINES + 1)))


@pytest.mark.parametrize("first", [1, 2, 499, 12_345, 99_501, 99_990])
def test_a_page_begins_at_any_line(visitor, long_log, first):
    lines = shown(visitor.get(long_log, {"line": first}))
    assert lines[0] == (first, f"line {first} of the log")
    assert [number for number, _ in lines] == list(range(first, min(first + 500, LINES + 1)))
    assert all(text == f"line {number} of the log" for number, text in lines)


def test_the_end_is_a_page_too(visitor, long_log):
    for query in ({"end": "1"}, {"line": "99501"}):
        assert shown(visitor.get(long_log, query))[-1] == (LINES, f"line {LINES} of the log")
    assert shown(visitor.get(long_log, {"line": "99999999"}))[-1] == (LINES, f"line {LINES} of the log")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [(1, "")]),
        (b"one", [(1, "one")]),
        (b"one\n\nthree", [(1, "one"), (2, ""), (3, "three")]),
        (b"a\r\nb\r\n", [(1, "a"), (2, "b")]),
        (b"10 %\r50 %\r100 %\n", [(1, "100 %")]),
        (b"\xff\xfe\n", [(1, "\ufffd\ufffd")]),
        (b"a\0b\x1b[2Jc\n", [(1, "abc")]),
    ],
)
def test_odd_logs(visitor, content, lines):
    page = visitor.get(log_of(content))
    assert page.status_code == 200
    assert shown(page) == lines


def test_search_in_an_empty_log_finds_nothing(visitor):
    page = visitor.get(log_of(b""), {"q": "error"})
    assert page.status_code == 200
    assert shown(page) == []


def test_a_line_without_end_is_cut_and_what_follows_it_is_found(visitor):
    address = log_of(b"x" * (3 << 20) + b"\nafter\n")
    (first,) = shown(visitor.get(address))
    assert first[0] == 1
    assert len(first[1]) < 5000
    assert "bytes more in this line" in first[1]
    assert shown(visitor.get(address, {"line": 2})) == [(2, "after")]


def test_search_finds_lines_in_any_case_and_goes_on(visitor, long_log):
    answer = visitor.get(long_log, {"q": "LINE 4242 "})
    assert shown(answer) == [(4242, "line 4242 of the log")]
    many = visitor.get(long_log, {"q": "of the log"})
    assert len(shown(many)) == 200
    assert "up to line 200" in many.content.decode()
    assert shown(visitor.get(long_log, {"q": "of the log", "line": 201}))[0][0] == 201
    assert shown(visitor.get(long_log, {"q": "nothing like it"})) == []


def test_search_finds_capitals_of_other_languages_as_they_are_written(visitor):
    address = log_of("größer\nÄNDERUNG\n".encode())
    assert shown(visitor.get(address, {"q": "Änderung"})) == [(2, "ÄNDERUNG")]
    assert shown(visitor.get(address, {"q": "GRößER"})) == [(1, "größer")]


def test_a_log_of_many_megabytes_is_never_held_as_a_whole():
    piece = b"a line of forty bytes, give or take one\n" * 25_000
    tracemalloc.start()
    index = build_index(piece for _ in range(200))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert index.size == 200 * len(piece) > 190 << 20
    assert index.lines == 200 * 25_000
    assert peak < 8 << 20


@pytest.mark.parametrize("line", [1, 2, 6554, 6555, 20_000])
def test_the_index_knows_the_block_of_every_line(line):
    content = b"".join(b"%039d\n" % n for n in range(1, 20_001))
    index = build_index([content[:1000], content[1000:]])
    offset, before = index.block_of(line)
    assert offset % BLOCK_BYTES == 0
    assert content[:offset].count(b"\n") == before
    assert content[offset:].split(b"\n")[line - 1 - before].endswith(b"%d" % line)


class TestColours:
    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("\x1b[31mred\x1b[0m", '<span class="a-red">red</span>'),
            (
                "\x1b[1;32mgood\x1b[39m bold",
                '<span class="a-bold a-green">good</span><span class="a-bold"> bold</span>',
            ),
            ("\x1b[91mbright\x1b[m", '<span class="a-red">bright</span>'),
            ("\x1b[38;5;200mx", "x"),
            ("\x1b[38;5;31mx", "x"),
            ("\x1b[48;2;1;3;4;32mx", '<span class="a-green">x</span>'),
            ("\x1b[31;38;5;1mx", "x"),
            ("\x1b[38m\x1b[48;5mx", "x"),
            ("\x1b[31m<b>", '<span class="a-red">&lt;b&gt;</span>'),
            ('"><script>', "&quot;&gt;&lt;script&gt;"),
            ("\x1b]0;title\x07text", "text"),
            ("\u202eevil", "evil"),
        ],
    )
    def test_become_classes_and_nothing_else(self, text, html):
        assert coloured(text) == html

    def test_are_left_out_where_only_text_is_shown(self):
        assert plain("\x1b[31mred\x1b[0m \x1b[2Jtext") == "red text"


class TestConsoles:
    @pytest.fixture
    def running(self):
        ticket = make_ticket()
        run(ticket, until="build")
        return ticket

    def say(self, ticket, text: str) -> None:
        child = ChildJob.objects.get(master__ticket_id=ticket.pk, stage="build")
        ConsoleLine.objects.create(child=child, written_at=timezone.now(), text=text)

    def test_are_followed_by_asking_for_what_is_new(self, visitor, running):
        address = f"/ticket/{running.pk}/console/build"
        page = visitor.get(address).content.decode()
        following = re.findall(r'hx-get="([^"]+)" hx-trigger="every 2s"', page)
        assert following == [f"{address}?after=1"]
        self.say(running, "compiles part 2")
        more = visitor.get(following[0])
        assert [number for number, _ in shown(more)] == [2]
        assert "compiles part 2" in more.content.decode()
        assert f"{address}?after=2" in more.content.decode()

    def test_lose_nothing_behind_a_separator_that_is_no_newline(self, visitor, running):
        address = f"/ticket/{running.pk}/console/build"
        self.say(running, "one\u2028still one\x85still\x0cstill")
        more = visitor.get(address, {"after": "1"})
        assert [number for number, _ in shown(more)] == [2]
        assert f"{address}?after=2" in more.content.decode()
        self.say(running, "two")
        ((number, text),) = shown(visitor.get(address, {"after": "2"}))
        assert number == 3
        assert text.endswith(" two")

    def test_are_followed_no_longer_when_the_stage_has_ended(self, visitor, running):
        ChildJob.objects.filter(stage="build").update(state=ChildJob.State.SUCCESS)
        more = visitor.get(f"/ticket/{running.pk}/console/build?after=1").content.decode()
        assert "hx-get" not in more
        assert "The stage has ended" in more

    def test_of_a_stage_that_is_not_there(self, visitor, running):
        assert visitor.get(f"/ticket/{running.pk}/console/nonsense").status_code == 404


def test_what_is_no_text_is_not_shown(visitor):
    answer = visitor.get(log_of(b"\x1f\x8b", name="results.tar.gz"))
    assert answer.status_code == 400
    assert "download it" in answer.content.decode()


class TestBuilds:
    """The log of a build while it is written."""

    @pytest.fixture
    def ticket(self, monkeypatch):
        log = GrowingLog(content=b"\x1b[32mcompiles\x1b[0m <b>part 1\n")
        monkeypatch.setattr(ports, "archives", lambda: log)
        made = make_ticket()
        job = run(made, until="build")
        job.stages.filter(stage="build").update(parameters={"ppa": PPA})
        made.growing = log  # type: ignore[attr-defined]
        return made

    def test_is_followed(self, visitor, ticket):
        address = f"/ticket/{ticket.pk}/building/hello"
        assert f'href="{address}"' in visitor.get(f"/ticket/{ticket.pk}").content.decode()
        page = visitor.get(address).content.decode()
        assert '<span class="a-green">compiles</span> &lt;b&gt;part 1' in page
        (following,) = re.findall(r'hx-get="([^"]+)" hx-trigger="every 2s"', page)
        ticket.growing.content += b"compiles part 2\n"
        more = visitor.get(following).content.decode()
        assert "compiles part 2" in more
        assert "part 1" not in more

    def test_ends_with_the_stage(self, visitor, ticket):
        ChildJob.objects.filter(stage="build").update(state=ChildJob.State.SUCCESS)
        page = visitor.get(f"/ticket/{ticket.pk}/building/hello").content.decode()
        assert "The log has ended" in page
        assert "hx-get" not in page[page.index('role="log"') :]

    def test_is_for_those_who_see_the_ticket(self, visitor, ticket):
        ticket.private = True
        ticket.save()
        assert visitor.get(f"/ticket/{ticket.pk}/building/hello").status_code == 404


def results_of(content: bytes) -> str:
    """The address of a subunit stream with these contents, as JUnit XML."""
    ticket = make_ticket()
    store = ports.data_stores().open(f"ticket.{ticket.pk}", "exhibit", public=True)
    file = TicketArtifact.objects.create(
        ticket=ticket,
        name="hello.subunit",
        type="RESULTS",
        reference=store.put_file("hello.subunit", content),
    )
    return f"/ticket/{ticket.pk}/results/{file.pk}.xml"


def test_results_are_there_as_junit_xml(visitor):
    answer = visitor.get(results_of(b"test: hello.greets\nsuccess: hello.greets\n"))
    assert answer["Content-Type"] == "application/xml"
    assert ElementTree.fromstring(answer.content).get("tests") == "1"


@pytest.mark.parametrize("stream", [b"time: 0\n", b"progress: x\n"])
def test_results_that_cannot_be_read_are_refused(visitor, stream):
    answer = visitor.get(results_of(stream))
    assert answer.status_code == 400
    assert "no subunit stream that can be read" in answer.content.decode()


def test_results_whose_server_failed_are_not_shown_as_empty_ones(visitor, monkeypatch):
    def failed(*_, **__):
        raise CIError("the data store failed")

    address = results_of(b"test: hello.greets\nsuccess: hello.greets\n")
    monkeypatch.setattr(FileClient, "_send", failed)
    answer = visitor.get(address)
    assert answer.status_code == 500
    assert "the data store failed" in answer.content.decode()
