"""People download images that lie in a real Glance from the engine, which has no copy of them."""

from __future__ import annotations

import subprocess
import tracemalloc
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client

from ci_utils.hosting import ports
from ci_utils.image_store.glance import GlanceImageStore
from ci_utils.image_store.port import Image
from tests.ci_utils.image_store.test_glance import store_of
from tests.harness.openstack.glance import Glance

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.django_db,
]

MIB = 1 << 20
IMAGE_MIB = 64


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """An image of some size, full of bytes."""
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, f"{IMAGE_MIB}M"], check=True)
    fill = f"write -P 7 0 {IMAGE_MIB}M"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", fill, path], check=True, capture_output=True)
    return path


@pytest.fixture
def store(glance: Glance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GlanceImageStore:
    """The engine's image store."""
    made = store_of(glance.keystone.new_user(), tmp_path / "cache")
    made._base_url = f"{ports.config().url}/images"
    monkeypatch.setattr(ports, "image_store", lambda: made)
    return made


@pytest.fixture
def public(store: GlanceImageStore, disk: Path) -> Image:
    return store.upload("ticket.1", disk, public=True)


@pytest.fixture
def http() -> Client:
    return Client(SERVER_NAME="localhost")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_an_image_is_sent_on_piece_by_piece(http, store, public, disk, tmp_path):
    response = http.get(path_of(store.url(public.id)))
    tracemalloc.start()
    try:
        with (tmp_path / "got").open("wb") as got:
            for piece in response.streaming_content:
                got.write(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "got").read_bytes() == disk.read_bytes()
    assert int(response["Content-Length"]) == disk.stat().st_size
    assert peak < 8 * MIB
    assert [path.name for path in (tmp_path / "cache").iterdir()] == []


def test_a_broken_download_goes_on_where_it_was(http, store, public, disk):
    path, half = path_of(store.url(public.id)), disk.stat().st_size // 2
    known = http.head(path)["ETag"]
    response = http.get(path, headers={"range": f"bytes={half}-", "if-range": known})
    assert response.status_code == 206
    assert b"".join(response.streaming_content) == disk.read_bytes()[half:]


def test_its_head_tells_the_length_and_sends_nothing(http, store, public, disk):
    response = http.head(path_of(store.url(public.id)))
    assert int(response["Content-Length"]) == disk.stat().st_size
    assert response.content == b""


def test_a_private_image_is_sent_by_signed_url_only(http, store, disk):
    private = store.upload("ticket.2", disk)
    assert http.get(path_of(store.url(private.id))).status_code == 404
    response = http.get(path_of(ports.readable_url(store.url(private.id))))
    assert b"".join(response.streaming_content) == disk.read_bytes()


def test_an_image_that_is_not_there_is_not_found(http, store):
    assert http.get("/images/00000000-0000-0000-0000-000000000000.qcow2").status_code == 404
