"""Swift that goes away, breaks connections or forgets tokens."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from ci_utils.data_store.swift import SwiftDataStore, SwiftDataStores
from ci_utils.errors import Unavailable
from tests.ci_utils.data_store.conftest import MakeStores
from tests.harness.breaking_proxy import BreakingProxy, Fault, breaking_proxy
from tests.harness.openstack.swift import Swift

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

CONTENTS = hashlib.shake_128(b"uci").digest(3_000_000)


@pytest.fixture
def proxy(swift: Swift) -> Iterator[BreakingProxy]:
    with breaking_proxy(swift.port) as made:
        yield made


@pytest.fixture
def stores(make_stores: MakeStores, proxy: BreakingProxy, monkeypatch) -> SwiftDataStores:
    """Data stores that reach Swift through the proxy and do not wait long."""
    monkeypatch.setattr("ci_utils.retries.PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr("ci_utils.data_store.swift.account.PAUSES", (0.01, 0.01, 0.01))
    return make_stores(ST_AUTH=f"http://127.0.0.1:{proxy.port}/auth/v1.0")


@pytest.fixture
def store(stores: SwiftDataStores) -> SwiftDataStore:
    return stores.open("ticket.1", "sources")


def _forget_tokens(swift: Swift) -> None:
    swift.stop_proxy()
    swift.start_proxy()


def cuts(**where: int) -> list[Fault]:
    return [Fault(**where)] * 2


@pytest.mark.parametrize(
    "faults", [cuts(sent=100), cuts(sent=200_000), cuts(received=20), [Fault(status=503)]]
)
def test_an_upload_that_breaks_is_sent_again(store, proxy, faults):
    proxy.break_with(*faults)
    store.put_file("a", io.BytesIO(CONTENTS))
    assert proxy.faults == []
    assert store.get_file("a") == CONTENTS


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_can_pass_is_waited_for(store, proxy, status):
    store.put_file("a", b"1")
    proxy.break_with(Fault(status=status), Fault(status=status))
    assert store.get_file("a") == b"1"
    assert proxy.faults == []


def test_a_download_that_breaks_goes_on_where_it_was(store, proxy):
    store.put_file("a", CONTENTS)
    proxy.break_with(*cuts(received=1_000_000))
    assert store.get_file("a") == CONTENTS
    assert proxy.connections == 3


def test_a_download_that_breaks_again_and_again_never_passes_for_whole(store, proxy):
    store.put_file("a", CONTENTS)
    proxy.break_with(*[Fault(received=100_000)] * 20)
    with pytest.raises(Unavailable):
        store.get_file("a")


def test_a_swift_that_only_breaks_is_given_up(store, proxy):
    store.put_file("a", b"first")
    proxy.break_with(*[Fault(sent=100)] * 50)
    with pytest.raises(Unavailable, match="Swift of ST_AUTH does not answer"):
        store.put_file("a", b"second")
    assert proxy.connections == 4
    proxy.break_with()
    assert store.get_file("a") == b"first"


def test_a_swift_that_only_fails_is_given_up(store, proxy):
    proxy.break_with(*[Fault(status=503)] * 50)
    with pytest.raises(Unavailable, match="status 503"):
        store.list_files()
    assert proxy.connections == 4


def test_a_token_that_swift_forgot_is_replaced(swift, store):
    store.put_file("a", b"1")
    _forget_tokens(swift)
    assert store.get_file("a") == b"1"
    store.put_file("b", io.BytesIO(CONTENTS))
    assert store.list_files() == ["a", "b"]


def test_a_thread_that_slept_through_two_new_tokens_gets_the_third(swift, store):
    store.put_file("a", b"1")
    with ThreadPoolExecutor(1) as sleeper:
        assert sleeper.submit(store.list_files).result() == ["a"]
        _forget_tokens(swift)
        assert store.list_files() == ["a"]
        _forget_tokens(swift)
        assert sleeper.submit(store.list_files).result() == ["a"]


def test_a_token_may_be_forgotten_while_a_file_is_read(swift, store):
    store.put_file("a", CONTENTS)
    with store.open_file("a") as stream:
        begun = stream.read(1000)
        _forget_tokens(swift)
        assert begun + stream.read() == CONTENTS


def test_a_swift_that_comes_back_is_used_again(swift, stores, store):
    swift.stop_proxy()
    with pytest.raises(Unavailable):
        store.put_file("a", b"1")
    with pytest.raises(Unavailable):
        stores.check()
    swift.start_proxy()
    stores.check()
    store.put_file("a", b"1")
    assert requests.get(store.download_url("a"), timeout=60).content == b"1"


def test_urls_are_signed_while_swift_is_away_after_one_look(swift, stores, store, proxy):
    urls = [store.put_file(str(number), b"1") for number in range(3)]
    stores.readable_url(urls[0], 60)
    others = [stores.open(f"ticket.{number}").put_file("a", b"2") for number in (2, 3)]
    swift.stop_proxy()
    proxy.break_with()
    signed = [stores.readable_url(url, 60) for url in (*urls, *others)]
    assert proxy.connections == 1
    swift.start_proxy()
    assert [requests.get(url, timeout=60).content for url in signed] == [b"1"] * 3 + [b"2"] * 2


def test_processes_that_were_forked_share_no_connection(store):
    """Two that did would take each other's answers."""
    for name in ("parent", "child"):
        store.put_file(name, name.encode() * 1000)

    def reads(name: str) -> bool:
        return all(store.get_file(name) == name.encode() * 1000 for _ in range(20))

    def looks(name: str) -> bool:
        return all(store.file_size(name) == len(name) * 1000 for _ in range(50))

    child = multiprocessing.get_context("fork").Process(
        target=lambda: os._exit(0 if looks("child") and reads("child") else 1)
    )
    child.start()
    assert looks("parent")
    assert reads("parent")
    child.join(120)
    assert child.exitcode == 0
