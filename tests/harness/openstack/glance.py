"""Starts a Glance of the test run's own, behind a Keystone that runs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.openstack.environment import environment_of
from tests.harness.openstack.ini import ini
from tests.harness.openstack.keystone import Keystone
from tests.harness.openstack.services import new_database, run, serving
from tests.harness.processes import directory, free_port


@dataclass
class Glance:
    """A Glance that runs; `images` holds a file for each image, named by its id."""

    keystone: Keystone
    url: str
    images: Path


@contextlib.contextmanager
def glance(keystone: Keystone) -> Iterator[Glance]:
    """A fresh Glance that keeps images in a directory. Raises `ServerMissing`."""
    environment, port = environment_of("glance"), free_port()
    with directory() as home:
        for name in ("images", "staging", "tasks"):
            (home / name).mkdir()
        shutil.copy(environment / "etc/glance/glance-api-paste.ini", home)
        config = home / "glance-api.conf"
        config.write_text(ini(_settings(home, port, keystone)))
        run(environment, "glance-manage", "--config-file", config, "db_sync")
        where = {"OS_GLANCE_CONFIG_DIR": str(home)}
        with serving(environment, home / "api", "glance.wsgi.api:application", port, where):
            server = Glance(keystone, f"http://127.0.0.1:{port}", home / "images")
            keystone.register("image", "glance", server.url)
            yield server


def _settings(home: Path, port: int, keystone: Keystone) -> dict[str, dict[str, object]]:
    return {
        "DEFAULT": {
            "use_stderr": True,
            "enabled_backends": "file:file",
            "worker_self_reference_url": f"http://127.0.0.1:{port}",
        },
        "database": {"connection": new_database(keystone.postgresql, "glance")},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": home / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": home / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": home / "tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": home / "glance-api-paste.ini"},
        "keystone_authtoken": keystone.middleware_settings("glance"),
    }
