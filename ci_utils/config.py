"""Settings, read strictly from the environment.

Every setting is a field of `Config` (the engine) or `ClientConfig`
(`ubuntu-ci`) with its name, default and a sentence of help; the reference in
`docs/` is checked against this list. A wrong value, or a `UCI_` variable that
is no setting, is an error that names it. A secret may also come from a file
named by NAME_FILE.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ci_utils.errors import ConfigurationError

SERVICES = (
    "ticket_system",
    "lander",
    "ppa_assigner",
    "branch_source_builder",
    "image_builder",
    "test_runner",
)

SIZE_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}

C = TypeVar("C")


def _text(value: str) -> str:
    return value


def _whole_number(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError("must be a whole number above 0")
    return number


def _size(value: str) -> int:
    """Bytes; nothing is 0, which leaves the choice to the machine."""
    if not value:
        return 0
    number, unit = value[:-1], value[-1].upper()
    if unit.isdigit():
        number, unit = value, ""
    if not (number.isascii() and number.isdigit()) or unit not in SIZE_UNITS or not int(number):
        raise ValueError("must be a number of bytes above 0, or one with K, M, G or T, for example 8G")
    return int(number) << SIZE_UNITS[unit]


def _path(value: str) -> Path:
    path = Path(value)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


def _optional_url(value: str) -> str:
    return _url(value) if value else ""


def _services(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in SERVICES:
            raise ValueError(f"{name!r} is not a service; known are {', '.join(SERVICES)}")
    return names or SERVICES


def listen_address(value: str) -> tuple[str, int]:
    """Split HOST:PORT; port 0 asks for any free port."""
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return read


def _default_data_dir() -> str:
    if os.geteuid() == 0:
        return "/var/lib/uci-engine"
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return f"{base}/uci-engine"


def _default_series() -> str:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "") or "stable"
    except OSError:
        return "stable"


def _setting(
    name: str,
    read: Callable[[str], Any],
    default: str | Callable[[], str],
    help: str,
    *,
    secret: bool = False,
) -> Any:
    return dataclasses.field(
        metadata={"name": name, "read": read, "default": default, "help": help, "secret": secret}
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """The engine's settings; `Config.from_environment()` reads them."""

    services: tuple[str, ...] = _setting(
        "UCI_SERVICES",
        _services,
        ",".join(SERVICES),
        "Services that this process hosts, separated by commas.",
    )
    data_dir: Path = _setting(
        "UCI_DATA_DIR",
        _path,
        _default_data_dir,
        "Directory of everything that the local adapters keep.",
    )
    listen: tuple[str, int] = _setting(
        "UCI_LISTEN",
        listen_address,
        "127.0.0.1:8000",
        "HOST:PORT to serve on; port 0 takes a free one.",
    )
    public_url: str = _setting(
        "UCI_PUBLIC_URL",
        _optional_url,
        "",
        "Address under which users and images reach this engine; empty: the listen address, "
        "and images get no entry for the published archive.",
    )
    secret_key: str = _setting(
        "UCI_SECRET_KEY",
        _text,
        "",
        "Key that signs URLs; empty: made once and kept in the data directory.",
        secret=True,
    )
    service_token: str = _setting(
        "UCI_SERVICE_TOKEN",
        _text,
        "",
        "Token that the services show each other; empty: made once and kept in the data directory.",
        secret=True,
    )
    database: str = _setting(
        "UCI_DATABASE",
        _text,
        "",
        "Database URL (postgresql://USER:PASSWORD@HOST/NAME); empty: SQLite in the data directory.",
        secret=True,
    )
    broker: str = _setting(
        "UCI_BROKER",
        _text,
        "memory://",
        "Message broker URL (amqp://USER:PASSWORD@HOST//, memory://).",
        secret=True,
    )
    ticket_system_url: str = _setting(
        "UCI_TICKET_SYSTEM_URL", _optional_url, "", "Address of the ticket system; empty: this engine."
    )
    lander_url: str = _setting(
        "UCI_LANDER_URL", _optional_url, "", "Address of the lander; empty: this engine."
    )
    ppa_assigner_url: str = _setting(
        "UCI_PPA_ASSIGNER_URL", _optional_url, "", "Address of the PPA assigner; empty: this engine."
    )
    branch_source_builder_url: str = _setting(
        "UCI_BRANCH_SOURCE_BUILDER_URL",
        _optional_url,
        "",
        "Address of the branch/source builder; empty: this engine.",
    )
    image_builder_url: str = _setting(
        "UCI_IMAGE_BUILDER_URL", _optional_url, "", "Address of the image builder; empty: this engine."
    )
    test_runner_url: str = _setting(
        "UCI_TEST_RUNNER_URL", _optional_url, "", "Address of the test runner; empty: this engine."
    )
    series: str = _setting(
        "UCI_SERIES",
        _text,
        _default_series,
        "Series that tickets build for by default; empty: the series of this machine.",
    )
    mirror: str = _setting(
        "UCI_MIRROR",
        _text,
        "",
        "URL of the Debian or Ubuntu mirror to build from; empty: the sources of this machine's apt.",
    )
    base_image: str = _setting(
        "UCI_BASE_IMAGE",
        _text,
        "",
        "Name of the base image for tickets that name none; empty: one made from the mirror.",
    )
    pool_owner: str = _setting(
        "CI_LAUNCHPAD_PPA_OWNER", _text, "local", "Owner of the archive pool and of the destination."
    )
    pool_size: int = _setting(
        "UCI_POOL_SIZE", _whole_number, "2", "Archives that a local pool is populated with."
    )
    destination_archive: str = _setting(
        "UCI_DESTINATION_ARCHIVE",
        _text,
        "archive",
        "Name of the archive that packages are published to.",
    )
    accelerator: str = _setting(
        "UCI_ACCELERATOR",
        _choice("auto", "kvm", "tcg"),
        "auto",
        "How QEMU runs machines; auto probes whether KVM works and takes TCG otherwise.",
    )
    build_timeout: int = _setting(
        "UCI_BUILD_TIMEOUT", _whole_number, "7200", "Seconds that one package build may take."
    )
    build_memory: int = _setting(
        "UCI_BUILD_MEMORY",
        _size,
        "",
        "Memory for all programs of one build, image or unpacking together, for example 8G; "
        "empty: three quarters of this machine's.",
    )
    build_processes: int = _setting(
        "UCI_BUILD_PROCESSES",
        _whole_number,
        "4096",
        "Processes and threads that one build, image or unpacking may have at once.",
    )
    build_disk: int = _setting(
        "UCI_BUILD_DISK",
        _size,
        "",
        "Disk that one build or unpacking may fill, for example 20G; "
        "empty: half of what is free when it begins.",
    )
    image_timeout: int = _setting(
        "UCI_IMAGE_TIMEOUT", _whole_number, "1800", "Seconds that building one image may take."
    )
    test_timeout: int = _setting(
        "UCI_TEST_TIMEOUT",
        _whole_number,
        "10800",
        "Seconds that booting an image and the tests of one source package may take.",
    )
    progress_interval: int = _setting(
        "UCI_PROGRESS_INTERVAL",
        _whole_number,
        "60",
        "Seconds between two progress messages of one request; ten missed mean unresponsive.",
    )
    lease: int = _setting(
        "UCI_LEASE",
        _whole_number,
        "60",
        "Seconds after which another worker takes over a request whose worker fell silent.",
    )
    log_level: str = _setting(
        "UCI_LOG_LEVEL",
        _choice("debug", "info", "warning", "error"),
        "info",
        "How much the engine logs to its standard error.",
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Read and check every setting; raise `ConfigurationError` with the setting's name."""
        environ = os.environ if environ is None else environ
        _refuse_unknown(environ)
        return _read(cls, environ)

    @property
    def url(self) -> str:
        """Where this engine is reached: the public URL, else the listen address."""
        host, port = self.listen
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def service_url(self, service: str) -> str:
        """Base URL of a service by its name in `SERVICES`."""
        return str(getattr(self, f"{service}_url")) or self.url


@dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """The settings of `ubuntu-ci`."""

    url: str = _setting("UCI_URL", _url, "http://127.0.0.1:8000", "Ticket system that ubuntu-ci talks to.")
    staging_url: str = _setting(
        "UCI_STAGING_URL", _optional_url, "", "Ticket system that ubuntu-ci -S talks to."
    )
    token: str = _setting(
        "UCI_TOKEN",
        _text,
        "",
        "Token for ubuntu-ci; empty: the one that a local engine left for this user.",
        secret=True,
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ClientConfig:
        """Read and check the client's settings."""
        return _read(cls, os.environ if environ is None else environ)


@dataclass(frozen=True)
class SettingDescription:
    """What the documentation must say of one setting."""

    name: str
    default: str
    help: str
    secret: bool


def describe_settings() -> list[SettingDescription]:
    """All settings of engine and client, in the order of the reference."""
    return [
        SettingDescription(
            f.metadata["name"],
            "" if callable(f.metadata["default"]) else f.metadata["default"],
            f.metadata["help"],
            f.metadata["secret"],
        )
        for cls in (Config, ClientConfig)
        for f in dataclasses.fields(cls)
    ]


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {s.name for s in describe_settings()}
    known |= {f"{s.name}_FILE" for s in describe_settings() if s.secret}
    for name in environ:
        if name.startswith("UCI_") and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{name} is not a setting{hint}")


def _read(cls: type[C], environ: Mapping[str, str]) -> C:
    values = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        meta = field.metadata
        raw = _raw_value(meta["name"], environ, secret=meta["secret"])
        if not raw:
            raw = meta["default"]() if callable(meta["default"]) else meta["default"]
        try:
            values[field.name] = meta["read"](raw)
        except ValueError as error:
            shown = "its value" if meta["secret"] else repr(raw)
            raise ConfigurationError(f"{meta['name']}: {shown} is not valid: {error}") from None
    return cls(**values)


def _raw_value(name: str, environ: Mapping[str, str], *, secret: bool) -> str:
    path = environ.get(f"{name}_FILE", "") if secret else ""
    if not path:
        return environ.get(name, "")
    if environ.get(name):
        raise ConfigurationError(f"{name} and {name}_FILE are both set; keep one")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
