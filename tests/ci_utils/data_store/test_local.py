"""The data store in a local directory, and what serves it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from ci_utils.data_store.local import LocalDataStore, LocalDataStores
from ci_utils.data_store.serving import RangeNotSatisfiable, part_of, readable, writable
from ci_utils.errors import CIError, Conflict, Forbidden, InvalidRequest, NotFound
from tests.ci_utils.data_store.contract import DataStoreContract

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def stores(tmp_path) -> LocalDataStores:
    return LocalDataStores(tmp_path / "data", BASE, b"key")


@pytest.fixture
def store(stores: LocalDataStores) -> LocalDataStore:
    return stores.open("ticket.1", "sources")


def request_of(url: str) -> tuple[str, str, dict[str, str]]:
    """Container, file name and query as an HTTP server decodes them from a URL."""
    parts = urlsplit(url)
    _, _, container, filename = parts.path.split("/")
    return container, unquote(filename), dict(parse_qsl(parts.query))


def succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except CIError:
        return False
    return True


class TestLocalDataStore(DataStoreContract):
    @pytest.fixture(autouse=True)
    def _keep(self, stores):
        self.stores = stores

    def anybody_reads(self, url):
        return succeeds(lambda: readable(self.stores, *request_of(url)))

    def anybody_writes(self, url, contents):
        def write() -> None:
            container, filename, query = request_of(url)
            target = writable(self.stores, container, filename, query)
            target.receive(filename, io.BytesIO(contents), length=len(contents), limit=100)

        return succeeds(write)


def test_urls_have_the_shape_of_swift_temporary_urls(store):
    assert store.file_path("a b.txt") == f"{BASE}/data/ticket.1.sources/a%20b.txt"
    assert set(request_of(store.upload_url("a"))[2]) == {"expires", "signature"}


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query | {"signature": "0" * 64},
        lambda query: query | {"signature": "é"},
        lambda query: query | {"signature": ""},
        lambda query: query | {"expires": str(int(query["expires"]) + 1)},
        lambda query: query | {"expires": "never"},
        lambda query: {"signature": query["signature"]},
    ],
)
def test_a_changed_signature_is_forbidden(stores, store, change):
    store.put_file("a", b"1")
    container, filename, query = request_of(store.download_url("a"))
    stores.check_url("GET", container, filename, query)
    stores.check_url("HEAD", container, filename, query)
    with pytest.raises(Forbidden):
        stores.check_url("GET", container, filename, change(query))


def test_a_signature_holds_for_one_file_of_one_container_under_one_key(stores, store, tmp_path):
    container, filename, query = request_of(store.download_url("a"))
    other = LocalDataStores(tmp_path / "data", BASE, b"other key")
    for call in (
        lambda: stores.check_url("GET", container, "b", query),
        lambda: stores.check_url("GET", "ticket.2.sources", filename, query),
        lambda: stores.check_url("PUT", container, filename, query),
        lambda: stores.check_url("DELETE", container, filename, query),
        lambda: other.check_url("GET", container, filename, query),
    ):
        with pytest.raises(Forbidden):
            call()


def test_who_may_not_read_a_file_does_not_learn_whether_it_exists(stores, store):
    store.put_file("a", b"1")
    sentences = set()
    for name in ("a", "b"):
        with pytest.raises(NotFound) as caught:
            readable(stores, "ticket.1.sources", name, {})
        sentences.add(caught.value.message.replace(f"file {name}", "file"))
    assert len(sentences) == 1
    assert readable(stores, "ticket.1.sources", "a", {}, allowed=True).get_file("a") == b"1"


@pytest.mark.parametrize("container", ["ticket.9", "..", "../x", ""])
def test_serving_never_makes_a_container(stores, container, tmp_path):
    with pytest.raises(CIError):
        readable(stores, container, "a", {})
    assert not (tmp_path / "data" / "ticket.9").exists()


def test_an_upload_is_written_once(store):
    def send(contents: bytes) -> None:
        store.receive("a", io.BytesIO(contents), length=len(contents), limit=100)

    send(b"first")
    send(b"first")
    with pytest.raises(Conflict, match="a was uploaded before with other contents"):
        send(b"other")
    assert store.get_file("a") == b"first"


def test_an_upload_that_is_too_large_or_ends_early_is_refused(store):
    with pytest.raises(InvalidRequest, match="at most 5 are allowed"):
        store.receive("a", io.BytesIO(b"123456"), length=6, limit=5)
    with pytest.raises(InvalidRequest, match="ended before all of its 6 bytes"):
        store.receive("a", io.BytesIO(b"123"), length=6, limit=10)
    assert store.list_files() == []


def test_an_upload_takes_no_more_than_its_length(store):
    stream = io.BytesIO(b"123the next request")
    store.receive("a", stream, length=3, limit=10)
    assert store.get_file("a") == b"123"
    assert stream.read() == b"the next request"


def test_of_uploads_at_the_same_time_one_wins(store):
    contents = [bytes([number]) * 100_000 for number in range(8)]
    won = []

    def send(data: bytes) -> None:
        if succeeds(lambda: store.receive("a", io.BytesIO(data), length=len(data), limit=len(data))):
            won.append(data)

    threads = [threading.Thread(target=send, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [store.get_file("a")]


def test_nothing_is_left_of_a_broken_upload(stores, store, tmp_path):
    with pytest.raises(InvalidRequest):
        store.receive("a", io.BytesIO(b""), length=1, limit=1)
    assert [path.name for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("", b"0123456789", None),
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", b"0123456789", None),
        ("bytes=0-1,4-5", b"0123456789", None),
        ("bytes=5-4", b"0123456789", None),
        ("lines=1-2", b"0123456789", None),
        ("bytes=-", b"0123456789", None),
    ],
)
def test_a_range_of_a_file_is_served(store, header, expected, content_range):
    store.put_file("a", b"0123456789")
    part = part_of(store.open_file("a"), 10, header)
    assert (part.length, part.size) == (len(expected), 10)
    assert part.partial is (content_range is not None)
    if content_range:
        assert part.content_range == content_range
    assert b"".join(part) == expected
    assert part.stream.closed


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(store, header):
    store.put_file("a", b"0123456789")
    with pytest.raises(RangeNotSatisfiable, match="only 10 bytes"):
        part_of(store.open_file("a"), 10, header)


def test_an_empty_file_is_served(store):
    store.put_file("a", b"")
    assert b"".join(part_of(store.open_file("a"), 0)) == b""


def test_the_umask_does_not_hide_a_public_container(stores):
    before = os.umask(0o077)
    try:
        public = stores.open("ticket.3", public=True)
        public.put_file("a", b"1")
    finally:
        os.umask(before)
    assert public.is_public("a")
