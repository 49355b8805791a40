"""Names, addresses and ranges of files: each leads to one file of the data store or nowhere."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from hypothesis import strategies as st

from ci_utils.data_store.local import LocalDataStores
from ci_utils.data_store.serving import part_of, readable, writable
from ci_utils.errors import CIError, Forbidden, InvalidRequest
from tests.fuzz.inputs import PATHS, SPACES, fuzz, noise

BASE = "http://localhost"

_names = (
    st.sampled_from([*PATHS, "ticket.1.sources", "a.log", "\udc80", "\u00e9" * 200, ".hidden", "~"]) | noise
)


def _files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if path.is_file()}


@fuzz(_names, _names, st.binary(max_size=20))
def test_a_file_is_stored_in_its_container_or_refused(container, name, content):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "store"
        stores = LocalDataStores(root, BASE, b"key")
        with suppress(InvalidRequest):
            store = stores.open(container)
            url = store.put_file(name, content)
            assert url.isascii()
            again, located = stores.locate(url)
            assert (again.get_file(located), located) == (content, name)
            assert store.list_files() == [name]
        allowed = root / container / "files" if "\0" not in container else root
        assert all(path.parent == allowed for path in _files(Path(directory)))


_quoted = _names | _names.map(lambda name: quote(name, safe="", errors="replace"))
_urls = st.builds(
    "{}{}{}/{}{}".format,
    st.sampled_from([BASE, "", "http://evil", BASE + "@evil"]),
    st.sampled_from(["/data/", "/", "/data/../", "//data/"]),
    st.just("ticket.1.sources") | _quoted,
    _quoted,
    st.sampled_from(["", "?x", "#y", "/.."]),
)


@fuzz(_urls | noise)
def test_only_addresses_of_the_store_are_located(url):
    with tempfile.TemporaryDirectory() as directory:
        stores = LocalDataStores(Path(directory), BASE, b"key")
        stores.open("ticket.1.sources")
        with suppress(CIError):
            store, name = stores.locate(url)
            assert url.startswith(f"{BASE}/data/ticket.1.sources/")
            assert store.list_files() == []
            assert "/" not in name


_queries = st.dictionaries(
    st.sampled_from(["signature", "expires", "x"]), noise | st.sampled_from(["9" * 12, "0" * 64])
)


@fuzz(_names, _names, _queries)
def test_no_query_is_a_signature_but_the_engines_own(container, name, query):
    with tempfile.TemporaryDirectory() as directory:
        stores = LocalDataStores(Path(directory), BASE, b"key")
        stores.open("ticket.1.sources").put_file("a.log", b"secret")
        for allow in (readable, writable):
            try:
                allow(stores, container, name, query)
            except CIError:
                continue
            raise AssertionError("let in")


_range_parts = st.sampled_from(["", "0", "5", "9", "10", "99", "9" * 30, "\u0661", "-"])
_ranges = st.builds(
    "{}{}-{}{}".format,
    st.sampled_from(["bytes=", "bytes= ", "x="]),
    _range_parts,
    _range_parts,
    st.sampled_from(["", ",1-2", " ", "\n"]),
)


@fuzz(_ranges | noise, st.integers(0, 12))
def test_a_range_gives_a_part_of_the_file_or_all_of_it(header, size):
    content = bytes(range(size))
    with suppress(CIError):
        part = part_of(io.BytesIO(content), size, header)
        assert b"".join(part) == content[part.start : part.start + part.length]
        assert part.length == size or part.partial
        assert part.content_range.isascii()
        assert 0 <= part.start <= part.start + part.length <= size


@fuzz(
    st.sampled_from(["ticket.1.sources", "ticket.2.sources"]),
    st.text(st.sampled_from("a.\n?" + SPACES), max_size=9),
)
def test_a_signature_counts_for_one_file_only(container, name):
    with tempfile.TemporaryDirectory() as directory:
        stores = LocalDataStores(Path(directory), BASE, b"key")
        url = stores.open("ticket.1.sources").upload_url("a.log")
        query = dict(part.split("=") for part in url.partition("?")[2].split("&"))
        if (container, name) == ("ticket.1.sources", "a.log"):
            assert writable(stores, container, name, query)
        else:
            with suppress(Forbidden):
                writable(stores, container, name, query)
                raise AssertionError("let in")
