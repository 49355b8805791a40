"""A Glance whose connections break, or that cannot answer now."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ci_utils.errors import Unavailable
from ci_utils.image_store.glance import GlanceImageStore
from tests.ci_utils.image_store.test_glance import client_of, store_of
from tests.harness.breaking_proxy import BreakingProxy, Fault, breaking_proxy
from tests.harness.openstack.glance import Glance

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]

REGION = "broken"
CUT = 300_000


@pytest.fixture(scope="module")
def proxy(glance: Glance) -> Iterator[BreakingProxy]:
    """The way to Glance for those of the region `REGION`."""
    port = urlsplit(glance.url).port
    assert port
    with breaking_proxy(port) as made:
        glance.keystone.register("image", "glance", f"http://127.0.0.1:{made.port}", region=REGION)
        yield made


@pytest.fixture
def user(glance: Glance) -> dict[str, str]:
    return glance.keystone.new_user()


@pytest.fixture
def store(
    user: dict[str, str], proxy: BreakingProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> GlanceImageStore:
    """An image store that reaches Glance through the proxy and does not wait long."""
    monkeypatch.setattr("ci_utils.retries.PAUSES", (0.01, 0.01, 0.01))
    made = store_of({**user, "OS_REGION_NAME": REGION}, tmp_path / "cache")
    made.check()
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 4M", path], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("fault", [Fault(sent=CUT), Fault(sent=100), Fault(status=503), Fault(status=504)])
def test_an_upload_that_breaks_is_sent_again(store, proxy, disk, user, fault):
    proxy.break_with(fault, fault)
    image = store.upload("base", disk)
    assert proxy.faults == []
    assert store.list() == [image]
    assert [found.id for found in client_of(user).images.list()] == [image.id]


def test_a_download_that_breaks_goes_on_where_it_was(store, proxy, disk, tmp_path):
    image = store.upload("base", disk)
    proxy.break_with(Fault(received=CUT), Fault(received=CUT), Fault(status=503))
    store.download(image.id, tmp_path / "download.qcow2")
    assert proxy.faults == []
    assert (tmp_path / "download.qcow2").read_bytes() == disk.read_bytes()


def test_a_glance_that_stays_broken_is_not_asked_for_ever(store, proxy, disk, user):
    image = store.upload("base", disk)
    proxy.break_with(*[Fault(status=503)] * 100)
    with pytest.raises(Unavailable, match="Glance failed over image"):
        store.get(image.id)
    with pytest.raises(Unavailable):
        store.upload("other", disk)
    assert 4 < proxy.connections < 20
    proxy.break_with()
    assert store.list() == [image]
    assert [found.id for found in client_of(user).images.list()] == [image.id]
