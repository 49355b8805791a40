"""The configuration files of the tests' Swift."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path

from tests.harness.openstack.ini import ini

#: What a usual cluster offers, before and behind authentication.
OUTER = ("catch_errors", "healthcheck", "listing_formats", "bulk", "tempurl")
INNER = ("copy", "slo", "dlo", "symlink")

Sections = dict[str, dict[str, object]]


def swift_settings() -> str:
    """swift.conf."""
    policy = {"name": "one", "default": "yes"}
    return ini({"swift-hash": {"swift_hash_path_prefix": "uci"}, "storage-policy:0": policy})


def server_settings(kind: str, port: int, home: Path) -> str:
    """The file of the account, container or object server: plain directories, one process."""
    storage = {
        "devices": str(home / "devices"),
        "mount_check": "false",
        "fallocate_reserve": "0",
        "disable_fallocate": "true",
    }
    return ini(
        {
            "DEFAULT": {**_process(port, home), **storage},
            "pipeline:main": {"pipeline": f"{kind}-server"},
            f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
        }
    )


def proxy_settings(
    port: int, home: Path, identity: Mapping[str, object] | None, users: Mapping[str, str]
) -> str:
    """The proxy's file, with one kind of authentication."""
    tempauth = {"filter:tempauth": {"use": "egg:swift#tempauth", **users}}
    auth = ["authtoken", "keystoneauth"] if identity else ["tempauth"]
    pipeline = ["cache", *OUTER, *auth, *INNER, "proxy-server"]
    return ini(
        {
            "DEFAULT": _process(port, home),
            "pipeline:main": {"pipeline": " ".join(pipeline)},
            "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
            "filter:cache": {"paste.filter_factory": "memory_cache:filter_factory"},
            **{f"filter:{name}": {"use": f"egg:swift#{name}"} for name in (*OUTER, *INNER)},
            **(_keystone(identity) if identity else tempauth),
        }
    )


def _process(port: int, home: Path) -> dict[str, object]:
    return {
        "bind_ip": "127.0.0.1",
        "bind_port": str(port),
        "workers": "0",
        "user": getpass.getuser(),
        "swift_dir": str(home),
        "log_address": str(home / "no-log"),
    }


def _keystone(identity: Mapping[str, object]) -> Sections:
    """How Swift asks a Keystone who somebody is, by the settings of the middleware that does so."""
    token = {"paste.filter_factory": "keystonemiddleware.auth_token:filter_factory", **identity}
    roles = {"operator_roles": "admin, member", "reseller_prefix": "AUTH"}
    return {
        "filter:authtoken": {**token, "delay_auth_decision": True},
        "filter:keystoneauth": {"use": "egg:swift#keystoneauth", **roles},
    }
