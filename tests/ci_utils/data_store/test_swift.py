"""The data store in Swift, on a real one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from ci_utils.data_store.presentation import content_headers
from ci_utils.data_store.swift import SwiftDataStore, SwiftDataStores
from ci_utils.data_store.swift.account import Account
from ci_utils.errors import NotFound
from tests.ci_utils.data_store.conftest import MakeStores
from tests.ci_utils.data_store.contract import DataStoreContract

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]


@pytest.fixture
def stores(make_stores: MakeStores) -> SwiftDataStores:
    return make_stores()


@pytest.fixture
def store(stores: SwiftDataStores) -> SwiftDataStore:
    return stores.open("ticket.1", "sources")


class TestSwiftDataStore(DataStoreContract):
    def anybody_reads(self, url):
        return requests.get(url, timeout=60).status_code == 200

    def anybody_writes(self, url, contents):
        return requests.put(url, data=contents, timeout=60).status_code == 201


class TestUploadsByUrl:
    """Who has an upload URL may use it again and again, and with headers of their choice."""

    HOSTILE: ClassVar[dict[str, str]] = {
        "Content-Type": "text/html",
        "Content-Encoding": "gzip",
        "Content-Disposition": "inline",
        "X-Object-Meta-Note": "hello",
        "X-Delete-After": "3600",
    }

    def upload(self, url: str, contents: bytes = b"1", headers: Mapping[str, str] | None = None) -> int:
        return requests.put(url, data=contents, headers=headers, timeout=60).status_code

    def test_what_was_read_once_stays_as_it_was(self, store):
        url = store.upload_url("a.dsc")
        self.upload(url, b"first")
        self.upload(url, b"second")
        assert store.get_file("a.dsc") == b"second"
        assert self.upload(url, b"third") == 201
        assert store.get_file("a.dsc") == b"second"
        assert store.file_size("a.dsc") == 6
        with store.open_file("a.dsc") as stream:
            assert stream.read() == b"second"

    def test_two_readers_may_be_the_first_at_the_same_time(self, make_stores, monkeypatch):
        store, other = (make_stores().open("ticket.1", "sources") for _ in range(2))
        self.upload(store.upload_url("a.dsc"))
        copy = Account.copy

        def copy_after_the_other(*arguments):
            monkeypatch.undo()
            assert other.get_file("a.dsc") == b"1"
            return copy(*arguments)

        monkeypatch.setattr(Account, "copy", copy_after_the_other)
        assert store.get_file("a.dsc") == b"1"

    def test_an_upload_is_not_public_before_it_was_read(self, stores):
        public = stores.open("ticket.1", "sources", public=True)
        url = public.upload_url("a.dsc")
        self.upload(url)
        assert requests.get(url.partition("?")[0], timeout=60).status_code == 401
        assert requests.get(public.file_path("a.dsc"), timeout=60).status_code == 404
        assert public.list_files() == ["a.dsc"]
        public.file_size("a.dsc")
        assert requests.get(public.file_path("a.dsc"), timeout=60).content == b"1"

    @pytest.mark.parametrize("name", ["a.dsc", "a.tar.gz", "a%2f b?.html"])
    def test_a_sender_does_not_choose_how_a_browser_shows_it(self, stores, name):
        public = stores.open("ticket.1", "sources", public=True)
        self.upload(public.upload_url(name), headers=self.HOSTILE)
        public.file_size(name)
        for url in (public.file_path(name), public.download_url(name)):
            answer = requests.get(url, timeout=60)
            assert answer.content == b"1"
            shown = {header: answer.headers[header] for header in content_headers(name)}
            assert shown == content_headers(name)
            for header in ("Content-Encoding", "X-Object-Meta-Note", "X-Delete-At"):
                assert header not in answer.headers

    @pytest.mark.parametrize(
        ("query", "headers", "body"),
        [
            ("", {"X-Copy-From": "/ticket.2.sources/secret"}, b""),
            ("", {"X-Object-Manifest": "ticket.2.sources/secret"}, b""),
            ("", {"X-Symlink-Target": "ticket.2.sources/secret"}, b""),
            ("&multipart-manifest=put", {}, b'[{"path": "/ticket.2.sources/secret"}]'),
        ],
    )
    def test_an_upload_cannot_be_made_of_a_file_of_another_ticket(self, stores, store, query, headers, body):
        stores.open("ticket.2", "sources").put_file("secret", b"secret")
        self.upload(store.upload_url("a") + query, body, headers)
        assert [store.get_file(name) for name in store.list_files()] in ([], [body])

    def test_a_url_for_one_file_is_good_for_no_other(self, store):
        store.put_file("b", b"1")
        url = store.upload_url("a")
        assert self.upload(url.replace("/a?", "/b?")) == 401
        assert self.upload(url.replace("~incoming", "")) == 401
        assert requests.get(url, timeout=60).status_code == 401

    def test_no_upload_is_left_when_its_container_is_removed(self, stores, store):
        url = store.upload_url("a")
        self.upload(url)
        store.delete(recursive=True)
        assert self.upload(url) == 401
        assert stores.open("ticket.1", "sources").list_files() == []


class TestLargeFiles:
    """Files above UCI_SWIFT_SEGMENT."""

    CONTENTS = bytes(range(250)) * 41

    @pytest.fixture
    def stores(self, make_stores: MakeStores) -> SwiftDataStores:
        return make_stores(UCI_SWIFT_SEGMENT="4000")

    def segments(self, store: SwiftDataStore) -> list[str]:
        return [name for name in store._account.names(store.name) if "/" in name]

    def test_a_large_file_is_one_file(self, store):
        url = store.put_file("big.bin", io.BytesIO(self.CONTENTS))
        assert len(self.segments(store)) == 3
        assert store.list_files() == ["big.bin"]
        assert store.file_size("big.bin") == len(self.CONTENTS)
        assert store.get_file("big.bin") == self.CONTENTS
        assert requests.get(store.download_url("big.bin"), timeout=60).content == self.CONTENTS
        store.change_container_visibility(public=True)
        answer = requests.get(url, timeout=60)
        assert answer.content == self.CONTENTS
        assert answer.headers["Content-Disposition"] == 'attachment; filename="big.bin"'

    def test_a_stream_that_cannot_be_rewound_is_taken_too(self, store):
        store.put_file("a", self.CONTENTS)
        with store.open_file("a") as stream:
            store.put_file("b", stream)
        assert store.get_file("b") == self.CONTENTS

    def test_replaced_and_removed_files_leave_no_segments(self, store):
        store.put_file("a", self.CONTENTS)
        store.put_file("ab", self.CONTENTS)
        store.put_file("a", self.CONTENTS[:5000])
        assert len(self.segments(store)) == 5
        store.put_file("a", b"small")
        assert len(self.segments(store)) == 3
        store.delete_file("ab")
        assert self.segments(store) == []
        store.put_file("a", self.CONTENTS)
        store.clear()
        assert self.segments(store) == []

    def test_a_large_file_becomes_private_with_all_its_segments(self, stores):
        store = stores.open("ticket.1", public=True)
        url = store.put_file("a", self.CONTENTS)
        store.change_visibility("a", private=True)
        assert self.segments(store) == []
        assert requests.get(url, timeout=60).status_code == 404
        assert requests.get(store.file_path("a"), timeout=60).status_code == 401
        assert requests.get(store.download_url("a"), timeout=60).content == self.CONTENTS
        assert store.get_file("a") == self.CONTENTS
        store.delete(recursive=True)
        assert stores.open("ticket.1").list_files() == []


def test_files_kept_apart_are_found_like_all_others(stores):
    store = stores.open("ticket.1", public=True)
    for name in ("a", "b"):
        store.put_file(name, name.encode())
    store.change_visibility("a", private=True)
    url = store.file_path("a")
    assert store.list_files() == ["a", "b"]
    assert store.get_file("a") == b"a"
    assert stores.locate(url)[0].get_file("a") == b"a"
    store.change_visibility("a")
    assert store.file_path("a") == store.put_file("a", b"again") != url
    store.change_visibility("b", private=True)
    store.delete_file("b")
    assert stores.open("ticket.1").list_files() == ["a"]
    store.delete(recursive=True)
    assert stores.open("ticket.1").list_files() == []


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_urls_are_signed_with_the_digest_of_the_settings(make_stores, digest):
    stores = make_stores(UCI_SWIFT_DIGEST=digest)
    stores.check()
    store = stores.open("ticket.1", "sources")
    assert requests.put(store.upload_url("a b"), data=b"1", timeout=60).status_code == 201
    assert store.get_file("a b") == b"1"
    assert requests.get(store.download_url("a b"), timeout=60).content == b"1"


def test_a_new_key_makes_older_urls_void(make_stores):
    old = make_stores().open("ticket.1", "sources")
    url = old.file_path("a")
    old.put_file("a", b"1")
    signed = old.download_url("a")
    found, name = make_stores(CI_TEMPURL_SIGNING_KEY="another").locate(url)
    assert requests.get(found.download_url(name), timeout=60).content == b"1"
    assert requests.get(signed, timeout=60).status_code == 401


def test_a_url_of_a_container_that_is_not_there_is_not_found(stores, store):
    url = store.file_path("a").replace("ticket.1", "ticket.2")
    with pytest.raises(NotFound, match=r"there are no files under ticket\.2\.sources"):
        stores.locate(url)


@pytest.mark.slow
def test_a_gibibyte_goes_up_and_down_in_little_memory(user, tmp_path):
    program = Path(__file__).with_name("large_file.py")
    environ = {**os.environ, **user, "CI_TEMPURL_SIGNING_KEY": "a-key", "UCI_SWIFT_SEGMENT": "400M"}
    run = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "large")],
        cwd=Path(__file__).parents[3],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    told = json.loads(run.stdout)
    assert told["size"] == told["stored"] == 1 << 30
    assert told["read"] == told["written"]
    assert told["peak"] < 200 << 20
