"""Images from outside: only with their checksum, and only if they stand alone."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from pathlib import Path

import pytest

from ci_utils.disk_image import qcow2
from ci_utils.disk_image.cloud_image import import_cloud_image
from ci_utils.errors import InvalidRequest, NotFound, Unavailable
from tests.ci_utils.disk_image.disks import LINUX_ROOT, make_disk


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "web").mkdir()
    return make_disk(tmp_path / "web" / "cloud.img", [(1, 8, 40, LINUX_ROOT)])


@pytest.fixture
def web(tmp_path: Path):
    """The address of a server of the directory `web`."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "web"))

        def log_message(self, *_) -> None:
            """Tests are quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_image_is_taken_from_a_path(disk, tmp_path):
    import_cloud_image(str(disk), tmp_path / "base.qcow2", sha256=sha256(disk).upper())
    assert (tmp_path / "base.qcow2").read_bytes() == disk.read_bytes()


def test_an_image_is_taken_from_a_url(disk, tmp_path, web):
    import_cloud_image(f"{web}/cloud.img", tmp_path / "base.qcow2", sha256=sha256(disk))
    assert (tmp_path / "base.qcow2").read_bytes() == disk.read_bytes()


def test_another_checksum_leaves_nothing(disk, tmp_path):
    with pytest.raises(InvalidRequest, match=r"SHA-256 of cloud\.img is"):
        import_cloud_image(str(disk), tmp_path / "base.qcow2", sha256="0" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["web"]


def test_what_is_no_checksum_is_refused(disk, tmp_path):
    with pytest.raises(InvalidRequest, match="64 hexadecimal digits"):
        import_cloud_image(str(disk), tmp_path / "base.qcow2", sha256="abc")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"gone\.img cannot be read"):
        import_cloud_image(str(tmp_path / "gone.img"), tmp_path / "base.qcow2", sha256="0" * 64)


def test_a_missing_page_is_named(disk, tmp_path, web):
    with pytest.raises(Unavailable, match=r"gone\.img cannot be fetched"):
        import_cloud_image(f"{web}/gone.img", tmp_path / "base.qcow2", sha256="0" * 64)


def test_a_server_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="the connection failed"):
        import_cloud_image("http://127.0.0.1:9/x.img", tmp_path / "base.qcow2", sha256="0" * 64)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    page = tmp_path / "page.img"
    page.write_text("<html>")
    with pytest.raises(InvalidRequest, match=r"page\.img is not a qcow2"):
        import_cloud_image(str(page), tmp_path / "base.qcow2", sha256=sha256(page))


def test_an_image_that_reads_another_file_of_this_host_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 1000)
    trojan = tmp_path / "trojan.img"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, trojan, "64M"], check=True
    )
    with pytest.raises(InvalidRequest, match="stands alone"):
        import_cloud_image(str(trojan), tmp_path / "base.qcow2", sha256=sha256(trojan))


def test_an_image_with_a_data_file_of_this_host_is_refused(tmp_path):
    trojan = tmp_path / "trojan.img"
    data = f"data_file={tmp_path / 'data'},data_file_raw=on"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", data, trojan, "64M"], check=True)
    with pytest.raises(InvalidRequest, match="stands alone"):
        import_cloud_image(str(trojan), tmp_path / "base.qcow2", sha256=sha256(trojan))


def test_a_flattened_overlay_stands_alone(disk, tmp_path):
    overlay, flat = tmp_path / "overlay.qcow2", tmp_path / "flat.qcow2"
    qcow2.create_overlay(overlay, disk)
    assert qcow2.chain(overlay) == [overlay, disk]
    qcow2.flatten(overlay, flat, compress=True)
    assert qcow2.chain(flat) == [flat]
    assert qcow2.virtual_size(flat) == qcow2.virtual_size(disk)
