"""What is wrong with the settings of Swift is said in one sentence that names the setting."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ci_utils.errors import ConfigurationError, NotFound, Unavailable
from tests.harness.breaking_proxy import Fault, breaking_proxy
from tests.harness.openstack.swift import KEY
from tests.harness.processes import free_port

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

SECRET = "an-unlikely-key"


def test_sound_settings_pass(make_stores):
    stores = make_stores()
    stores.check()
    stores.check()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"ST_AUTH": ""}, "ST_AUTH or OS_AUTH_URL is not set"),
        ({"ST_USER": ""}, "ST_USER is not set"),
        ({"ST_KEY": ""}, "ST_KEY is not set"),
        ({"CI_TEMPURL_SIGNING_KEY": ""}, "CI_TEMPURL_SIGNING_KEY is not set"),
        ({"ST_AUTH": "", "OS_AUTH_URL": "http://127.0.0.1:1/v3"}, "OS_USERNAME is not set"),
        ({"ST_AUTH": "127.0.0.1:1"}, "ST_AUTH: '127.0.0.1:1' is not valid"),
        ({"UCI_SWIFT_SEGMENT": "much"}, "UCI_SWIFT_SEGMENT: 'much' is not valid"),
        ({"UCI_SWIFT_DIGEST": "md5"}, "UCI_SWIFT_DIGEST: 'md5' is not valid"),
    ],
)
def test_a_missing_or_wrong_setting_is_named_before_anything_is_sent(make_stores, wrong, named):
    with pytest.raises(ConfigurationError, match=named):
        make_stores(**wrong)


@pytest.mark.parametrize("wrong", [{"ST_KEY": SECRET}, {"ST_USER": "nobody:engine"}])
def test_a_user_that_swift_does_not_know_is_named(make_stores, wrong):
    with pytest.raises(
        ConfigurationError, match=r"ST_USER and ST_KEY: .* does not accept the user"
    ) as caught:
        make_stores(**wrong).check()
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)


def test_an_address_that_gives_no_tokens_is_named(make_stores, swift):
    with pytest.raises(ConfigurationError, match=r"ST_AUTH: .* gives no tokens of version 1"):
        make_stores(ST_AUTH=f"{swift.url}/info").check()


def test_a_server_that_is_not_there_is_named_at_once(make_stores):
    with pytest.raises(Unavailable, match=r"ST_AUTH .* does not answer"):
        make_stores(ST_AUTH=f"http://127.0.0.1:{free_port()}/auth/v1.0").check()


def test_a_server_that_fails_is_named(make_stores, swift):
    with breaking_proxy(swift.port) as proxy:
        proxy.break_with(Fault(status=503))
        with pytest.raises(Unavailable, match=r"ST_AUTH .* does not work at the moment"):
            make_stores(ST_AUTH=f"http://127.0.0.1:{proxy.port}/auth/v1.0").check()
        assert proxy.connections == 1


def test_a_keystone_that_is_not_there_is_named(make_stores):
    port = free_port()
    cloud = {
        "ST_AUTH": "",
        "OS_AUTH_URL": f"http://127.0.0.1:{port}/v3",
        "OS_USERNAME": "engine",
        "OS_PASSWORD": SECRET,
        "OS_PROJECT_NAME": "engine",
    }
    with pytest.raises(Unavailable, match=r"OS_AUTH_URL .* does not answer") as caught:
        make_stores(**cloud).check()
    assert SECRET not in str(caught.value)


def test_a_keystone_that_is_silent_holds_up_no_page(make_stores, monkeypatch):
    """Not for each of its files, and not one page after the other."""
    monkeypatch.setattr("ci_utils.keystone.LOGIN_SECONDS", 1)
    monkeypatch.setattr("ci_utils.data_store.swift.stores.AWAY_SECONDS", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(8) as pages:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cloud = {"OS_USERNAME": "engine", "OS_PASSWORD": SECRET, "OS_PROJECT_NAME": "engine"}
        stores = make_stores(ST_AUTH="", OS_AUTH_URL=f"{address}/v3", **cloud)

        def page(_: int) -> None:
            for _ in range(10):
                with pytest.raises(Unavailable, match=r"Swift of OS_AUTH_URL .*does not answer"):
                    stores.readable_url(f"{address}/v1/AUTH_engine/ticket.1/a", 60)

        list(pages.map(page, range(8)))
        assert connections(silent) == 1


def connections(listener: socket.socket) -> int:
    """How many have come that nobody has taken."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_segments_that_swift_does_not_take_are_refused(make_stores):
    with pytest.raises(ConfigurationError, match=r"UCI_SWIFT_SEGMENT: .* takes no more than"):
        make_stores(UCI_SWIFT_SEGMENT="6G").check()


def test_no_log_tells_a_token_or_key(make_stores, user, caplog):
    caplog.set_level("DEBUG")
    stores = make_stores(CI_TEMPURL_SIGNING_KEY=SECRET)
    store = stores.open("ticket.1", "sources")
    store.upload_url("a")
    with pytest.raises(NotFound):
        store.get_file("a")
    with pytest.raises(ConfigurationError):
        make_stores(ST_KEY=SECRET).check()
    token = stores._account._login.access().token
    for secret in (SECRET, user["ST_KEY"], token):
        assert secret[:8] not in caplog.text
