"""What every data store must do; each adapter's test class inherits `DataStoreContract`."""

from __future__ import annotations

import io

import pytest

from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import Conflict, InvalidRequest, NotFound

NAMES_THAT_ARE_NOT_PLAIN = ["", ".", "..", "a/b", "../a", "/a", "a\nb", "a\x00", "a\x7f", "x" * 256, "\udc80"]


class DataStoreContract:
    """The fixture `stores` of the inheriting class gives a `DataStores` without containers."""

    @pytest.fixture
    def store(self, stores: DataStores) -> DataStore:
        return stores.open("ticket.1", "sources")

    def test_a_new_container_is_empty(self, store):
        assert store.list_files() == []

    def test_a_file_that_was_put_is_got_back(self, store):
        store.put_file("hello.txt", b"hello\x00\xff")
        assert store.get_file("hello.txt") == b"hello\x00\xff"
        assert store.file_size("hello.txt") == 7

    def test_a_stream_is_put_and_got_back(self, store):
        contents = bytes(range(256)) * 10_000
        store.put_file("big", io.BytesIO(contents))
        with store.open_file("big") as stream:
            assert stream.read(3) == b"\x00\x01\x02"
            assert stream.read() == contents[3:]

    def test_many_files_are_put_at_once(self, store):
        contents = {f"log-{number}": f"line {number}".encode() for number in range(40)}
        assert store.put_files(contents) == [store.file_path(name) for name in contents]
        assert {name: store.get_file(name) for name in store.list_files()} == contents
        assert store.put_files({}) == []

    def test_one_bad_name_of_many_is_refused(self, store):
        with pytest.raises(InvalidRequest):
            store.put_files({"a": b"1", "../b": b"2"})

    def test_an_empty_file_is_a_file(self, store):
        store.put_file("empty", b"")
        assert store.list_files() == ["empty"]
        assert store.file_size("empty") == 0

    def test_files_are_listed_by_name(self, store):
        for name in ("b", "a", "c"):
            store.put_file(name, b"")
        assert store.list_files() == ["a", "b", "c"]

    def test_a_file_put_again_is_replaced(self, store):
        store.put_file("a", b"first, and longer")
        store.put_file("a", b"second")
        assert store.get_file("a") == b"second"
        assert store.list_files() == ["a"]

    def test_a_reader_keeps_the_file_that_it_opened(self, store):
        store.put_file("a", b"first")
        with store.open_file("a") as stream:
            store.put_file("a", b"second")
            assert stream.read() == b"first"

    def test_a_stream_that_breaks_leaves_what_was_there(self, store):
        class Broken(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                raise OSError("broken")

        store.put_file("a", b"first")
        with pytest.raises(OSError, match="broken"):
            store.put_file("a", Broken())
        assert store.list_files() == ["a"]
        assert store.get_file("a") == b"first"

    def test_opening_a_container_again_finds_its_files(self, stores, store):
        store.put_file("a", b"1")
        assert stores.open("ticket.1", "sources").get_file("a") == b"1"

    def test_a_container_is_named_by_component_and_identifier(self, stores, store):
        store.put_file("a", b"1")
        assert stores.open("ticket.1.sources").get_file("a") == b"1"
        assert stores.open("ticket.1", "logs").list_files() == []
        assert stores.open("ticket.1").list_files() == []

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", ".hidden", "a b", "a\n", "x" * 300])
    def test_a_container_has_a_plain_name(self, stores, name):
        with pytest.raises(InvalidRequest):
            stores.open(name)

    @pytest.mark.parametrize("name", NAMES_THAT_ARE_NOT_PLAIN)
    def test_a_file_name_that_is_not_plain_is_refused(self, store, name):
        for call in (
            lambda: store.put_file(name, b""),
            lambda: store.get_file(name),
            lambda: store.open_file(name),
            lambda: store.file_size(name),
            lambda: store.change_visibility(name),
            lambda: store.delete_file(name),
            lambda: store.file_path(name),
            lambda: store.download_url(name),
            lambda: store.upload_url(name),
        ):
            with pytest.raises(InvalidRequest):
                call()
        assert store.list_files() == []

    @pytest.mark.parametrize("name", ["a b+c%2f?#&=.txt", "~a", "-rf", ".hidden", "größe", "a\\b"])
    def test_any_plain_file_name_is_kept(self, stores, store, name):
        url = store.put_file(name, b"1")
        assert store.list_files() == [name]
        found, filename = stores.locate(url)
        assert (found.get_file(filename), filename) == (b"1", name)

    def test_a_file_that_is_not_there_is_not_found(self, store):
        for call in (
            lambda: store.get_file("a"),
            lambda: store.open_file("a"),
            lambda: store.file_size("a"),
            lambda: store.change_visibility("a", private=True),
            lambda: store.delete_file("a"),
        ):
            with pytest.raises(NotFound, match="there is no file a"):
                call()

    def test_a_deleted_file_is_gone(self, store):
        store.put_file("a", b"1")
        store.put_file("b", b"2")
        store.delete_file("a")
        assert store.list_files() == ["b"]

    def test_clear_removes_the_files_and_keeps_the_container(self, store):
        store.put_file("a", b"1")
        store.clear()
        assert store.list_files() == []
        store.put_file("a", b"2")
        assert store.get_file("a") == b"2"

    def test_a_container_with_files_is_deleted_only_recursively(self, stores, store):
        store.put_file("a", b"1")
        with pytest.raises(Conflict):
            store.delete()
        assert store.list_files() == ["a"]
        store.delete(recursive=True)
        assert stores.open("ticket.1", "sources").list_files() == []

    def test_an_empty_container_is_deleted(self, stores, store):
        store.delete()
        with pytest.raises(NotFound):
            store.put_file("a", b"1")

    def test_urls_that_were_handed_out_are_located(self, stores, store):
        url = store.put_file("a", b"1")
        assert url == store.file_path("a")
        for own in (url, store.download_url("a"), store.upload_url("a")):
            found, filename = stores.locate(own)
            assert (found.get_file(filename), filename) == (b"1", "a")

    def test_a_private_file_is_read_by_a_url_made_of_its_lasting_one(self, stores, store):
        url = store.put_file("a b", b"1")
        assert not self.anybody_reads(url)
        assert self.anybody_reads(stores.readable_url(url, 60))
        assert not self.anybody_reads(stores.readable_url(url, -1))
        with pytest.raises(InvalidRequest):
            stores.readable_url("http://elsewhere.example/a", 60)

    def test_urls_of_others_are_refused(self, stores, store):
        url = store.put_file("a", b"1")
        host = url.split("/")[2]
        for other in (
            "",
            "a",
            "file:///etc/passwd",
            "http://[",
            url.replace(host, "elsewhere.example"),
            url.replace(host, f"{host}@elsewhere.example"),
            f"{url}/../../../etc/passwd",
            f"{url}/b",
            f"{url.rpartition('/')[0]}/..%2f..%2fx",
            url.rpartition("/")[0],
            f"{url.rpartition('/')[0]}/",
        ):
            with pytest.raises(InvalidRequest):
                stores.locate(other)

    def test_a_public_file_is_readable_and_a_private_one_is_not(self, store):
        store.put_file("a", b"1")
        assert not self.anybody_reads(store.file_path("a"))
        store.change_visibility("a")
        assert self.anybody_reads(store.file_path("a"))
        store.change_visibility("a", private=True)
        assert not self.anybody_reads(store.file_path("a"))

    def test_new_files_follow_their_container(self, stores):
        public = stores.open("ticket.2", public=True)
        assert self.anybody_reads(public.put_file("a", b"1"))
        public.change_container_visibility(public=False)
        assert not self.anybody_reads(public.file_path("a"))
        assert not self.anybody_reads(public.put_file("b", b"1"))
        public.change_container_visibility(public=True)
        assert self.anybody_reads(public.file_path("a"))

    def test_opening_does_not_change_who_may_read(self, stores, store):
        url = store.put_file("a", b"1")
        stores.open("ticket.1", "sources", public=True)
        assert not self.anybody_reads(url)
        assert not self.anybody_reads(store.put_file("b", b"1"))

    def test_a_replaced_file_keeps_who_may_read_it(self, store):
        store.put_file("a", b"1")
        store.change_visibility("a")
        assert self.anybody_reads(store.put_file("a", b"2"))
        store.change_container_visibility(public=True)
        store.change_visibility("a", private=True)
        assert not self.anybody_reads(store.put_file("a", b"3"))

    def test_a_download_url_reads_a_private_file(self, store):
        store.put_file("größe b", b"1")
        assert self.anybody_reads(store.download_url("größe b"))
        assert not self.anybody_reads(store.download_url("größe b", expires_in=-1))
        assert not self.anybody_reads(store.upload_url("größe b"))

    def test_an_upload_url_takes_a_file(self, store):
        assert self.anybody_writes(store.upload_url("a b"), b"1")
        assert store.get_file("a b") == b"1"
        assert not self.anybody_writes(store.upload_url("c", expires_in=-1), b"1")
        assert not self.anybody_writes(store.download_url("c"), b"1")
        assert not self.anybody_writes(store.file_path("c"), b"1")
        assert store.list_files() == ["a b"]

    def test_what_was_read_of_an_upload_stays_as_it_was(self, store):
        url = store.upload_url("a")
        self.anybody_writes(url, b"first")
        assert store.get_file("a") == b"first"
        self.anybody_writes(url, b"second")
        assert store.get_file("a") == b"first"
        assert store.file_size("a") == 5

    def anybody_reads(self, url: str) -> bool:
        """Whether a request without a token can GET this URL."""
        raise NotImplementedError

    def anybody_writes(self, url: str, contents: bytes) -> bool:
        """Whether a request without a token can PUT to this URL."""
        raise NotImplementedError
