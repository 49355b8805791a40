"""The log of a build is read while it is written."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from branch_source_builder.domain.live_log import PART_BYTES, log_part
from ci_utils.archive.port import Build, BuildState
from ci_utils.errors import NotFound
from tests.branch_source_builder.memory_archives import MemoryArchives

PPA = "ppa:local/ci_pool-001"


@dataclass
class GrowingLog(MemoryArchives):
    """An archive with one build whose log grows as the test says."""

    content: bytes = b""
    state: BuildState = BuildState.BUILDING
    asked: list[str] = field(default_factory=list)

    def builds(self, archive):
        return [Build("1", "hello", "2.10-4", "amd64", self.state)] if archive == PPA else []

    def build_log(self, archive, build_id):
        return io.BytesIO(self.content)


def part(archives: GrowingLog, start: int | None = None, source: str = "hello", archive: str = PPA):
    return log_part(archives=archives, archive=archive, source=source, version="2.10-4", start=start)


def test_what_is_written_is_read_once_in_whole_lines():
    archives = GrowingLog(content=b"one\ntwo\nthr")
    first = part(archives)
    assert (first.text, first.following, first.ended) == ("one\ntwo\n", 8, False)
    assert part(archives, first.following).text == ""
    archives.content += b"ee\n"
    assert part(archives, first.following).text == "three\n"


def test_the_end_is_told_once_all_is_read():
    archives = GrowingLog(content=b"one\nlast", state=BuildState.BUILT)
    first = part(archives)
    assert first.text == "one\n"
    assert not first.ended
    last = part(archives, first.following)
    assert (last.text, last.ended) == ("last", True)


def test_a_long_log_is_read_from_its_end_and_goes_on_in_parts():
    line = b"a line of the log\n"
    archives = GrowingLog(content=line * 20_000)
    end = part(archives)
    assert end.text.startswith("a line")
    assert len(end.text) <= PART_BYTES
    assert end.following == len(archives.content)
    read, following = b"", 0
    for _ in range(4):
        some = part(archives, following)
        read, following = read + some.text.encode(), some.following
    assert read == archives.content


def test_a_line_without_end_does_not_stop_the_reading():
    archives = GrowingLog(content=b"x" * (PART_BYTES * 2))
    assert part(archives, 0).following == PART_BYTES


@pytest.mark.parametrize(("source", "archive"), [("other", PPA), ("hello", "ppa:local/other")])
def test_a_build_that_is_not_there(source, archive):
    with pytest.raises(NotFound, match="has no build of"):
        part(GrowingLog(), source=source, archive=archive)


@pytest.mark.django_db
class TestResource:
    @pytest.fixture(autouse=True)
    def log(self, monkeypatch):
        from ci_utils.hosting import ports

        monkeypatch.setattr(ports, "archives", lambda: GrowingLog(content=b"one\n"))

    ASKED = {"ppa": PPA, "source": "hello", "version": "2.10-4"}

    def test_answers_services_and_operators(self, service, operator):
        for client in (service, operator):
            answer = client.get("buildlog/", **self.ASKED).json()
            assert answer == {"text": "one\n", "following": 4, "ended": False}

    def test_is_not_there_for_others(self, nobody, submitter):
        for client in (nobody, submitter):
            assert client.get("buildlog/", **self.ASKED).status_code == 404

    @pytest.mark.parametrize(
        "wrong", [{"ppa": "x"}, {"source": "../x"}, {"version": ""}, {"start": "-1"}, {"start": "x"}]
    )
    def test_refuses_what_names_nothing(self, service, wrong):
        assert service.get("buildlog/", **(self.ASKED | wrong)).status_code == 400
