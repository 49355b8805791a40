"""Machines for the tests: containers made of the base image, which need no boot."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci_utils.data_store.local import LocalDataStores
from ci_utils.disk_image import qcow2
from ci_utils.disk_image.customise import customise
from ci_utils.errors import NotFound
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.sandbox import Bind, Host, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory
from test_runner.domain import test_image as testing
from tests.cache import TEST_CACHE
from tests.ci_utils.disk_image.cached_base import cached_base_image
from tests.test_runner.containers import ContainerCompute

#: Compressed, because what a sandbox prints is limited.
PACK = "exec tar --create --use-compress-program='gzip -1' --one-file-system --directory=/ . 2>/dev/null"
UNPACK = "mkdir /mnt/tree/root && exec tar --extract --preserve-permissions --directory=/mnt/tree/root"


@pytest.fixture(scope="session")
def container_image() -> Path:
    """The base image's root file system as a directory; made once per machine."""
    base = cached_base_image()
    tree = TEST_CACHE / f"tree-of-{base.stem}"
    with (TEST_CACHE / "tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            fresh = tree.with_suffix(".new")
            remove_tree(fresh)
            _unpack(base, writable_directory(fresh))
            fresh.rename(tree)
    return tree / "root"


def _unpack(base: Path, tree: Path) -> None:
    with tempfile.TemporaryDirectory(dir=TEST_CACHE) as directory:
        overlay, packed = Path(directory) / "overlay.qcow2", Path(directory) / "packed"
        qcow2.create_overlay(overlay, base)
        with packed.open("wb") as output:
            customise(overlay, ["sh", "-c", PACK], log=output, timeout=300)
        binds = [Bind(tree, "/mnt/tree", read_only=False), Bind(packed, "/mnt/packed")]
        with (Path(directory) / "log").open("wb") as log:
            argv = ["sh", "-c", f"{UNPACK} --file=/mnt/packed"]
            assert Sandbox(Host(), binds=binds).run(argv, log=log, timeout=300) == 0


@pytest.fixture
def machines(container_image: Path, tmp_path: Path) -> ContainerCompute:
    (tmp_path / "machines").mkdir(mode=0o700)
    return ContainerCompute(container_image, tmp_path / "machines")


@pytest.fixture
def data_stores(tmp_path: Path) -> LocalDataStores:
    return LocalDataStores(tmp_path / "data-store", "http://localhost", b"secret")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """What lies here is in the ticket's archive."""
    (tmp_path / "sources").mkdir()
    return tmp_path / "sources"


@pytest.fixture
def said() -> list[tuple[str, int | None, int | None]]:
    """Progress: message, current, total."""
    return []


@pytest.fixture
def run_tests(machines, data_stores, sources, said, tmp_path):
    """Does one request for the named sources on a container."""

    def fetch_source(archive: str, name: str, directory: Path) -> Path:
        if not (sources / f"{name}_1.0.dsc").exists():
            raise NotFound(name)
        for file in sources.glob(f"{name}_*"):
            shutil.copy(file, directory)
        return directory / f"{name}_1.0.dsc"

    archives: Any = SimpleNamespace(fetch_source=fetch_source, apt_archive=lambda archive: archive)

    def run(*names: str, **changes: Any) -> Any:
        request: dict[str, Any] = {
            "ticket_id": "1",
            "trigger": "lander-1-test",
            "image_id": "image",
            "sources": names,
            "archive_list": ["ppa:local/ci_pool-001"],
            "private": False,
            "compute": machines,
            "limits": Limits(),
            "timeout": 500,
            "cancelled": lambda: False,
        }
        return testing.test_image(
            **{**request, **changes},
            archives=archives,
            data_stores=data_stores,
            work_dir=tmp_path / "work",
            report=lambda message, current=None, total=None: said.append((message, current, total)),
        )

    return run
