"""The engine's own settings."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ci_utils.config.settings import Settings, refuse_unknown, setting
from ci_utils.config.values import (
    choice,
    listen_address,
    optional_url,
    optional_whole_number,
    path,
    size,
    text,
    whole_number,
)

SERVICES = (
    "ticket_system",
    "lander",
    "ppa_assigner",
    "branch_source_builder",
    "image_builder",
    "test_runner",
    "web_ui",
)


def _services(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in SERVICES:
            raise ValueError(f"{name!r} is not a service; known are {', '.join(SERVICES)}")
    return names or SERVICES


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


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The engine."""

    services: tuple[str, ...] = setting(
        "UCI_SERVICES",
        _services,
        ",".join(SERVICES),
        "Services that this process hosts, separated by commas.",
    )
    data_dir: Path = setting(
        "UCI_DATA_DIR",
        path,
        _default_data_dir,
        "Directory of everything that the local adapters keep.",
    )
    listen: tuple[str, int] = setting(
        "UCI_LISTEN",
        listen_address,
        "127.0.0.1:8000",
        "HOST:PORT to serve on; port 0 takes a free one.",
    )
    public_url: str = setting(
        "UCI_PUBLIC_URL",
        optional_url,
        "",
        "Address under which users and images reach this engine; empty: the listen address, "
        "and images get no entry for the published archive.",
    )
    secret_key: str = setting(
        "UCI_SECRET_KEY",
        text,
        "",
        "Key that signs URLs; empty: made once and kept in the data directory.",
        secret=True,
    )
    service_token: str = setting(
        "UCI_SERVICE_TOKEN",
        text,
        "",
        "Token that the services show each other; empty: made once and kept in the data directory.",
        secret=True,
    )
    database: str = setting(
        "UCI_DATABASE",
        text,
        "",
        "Database URL (postgresql://USER:PASSWORD@HOST/NAME); empty: SQLite in the data directory.",
        secret=True,
    )
    broker: str = setting(
        "UCI_BROKER",
        text,
        "memory://",
        "Message broker URL (amqp://USER:PASSWORD@HOST//, memory://).",
        secret=True,
    )
    ticket_system_url: str = setting(
        "UCI_TICKET_SYSTEM_URL", optional_url, "", "Address of the ticket system; empty: this engine."
    )
    lander_url: str = setting(
        "UCI_LANDER_URL", optional_url, "", "Address of the lander; empty: this engine."
    )
    ppa_assigner_url: str = setting(
        "UCI_PPA_ASSIGNER_URL", optional_url, "", "Address of the PPA assigner; empty: this engine."
    )
    branch_source_builder_url: str = setting(
        "UCI_BRANCH_SOURCE_BUILDER_URL",
        optional_url,
        "",
        "Address of the branch/source builder; empty: this engine.",
    )
    image_builder_url: str = setting(
        "UCI_IMAGE_BUILDER_URL", optional_url, "", "Address of the image builder; empty: this engine."
    )
    test_runner_url: str = setting(
        "UCI_TEST_RUNNER_URL", optional_url, "", "Address of the test runner; empty: this engine."
    )
    series: str = setting(
        "UCI_SERIES",
        text,
        _default_series,
        "Series that tickets build for by default; empty: the series of this machine.",
    )
    mirror: str = setting(
        "UCI_MIRROR",
        text,
        "",
        "URL of the Debian or Ubuntu mirror to build from; empty: the sources of this machine's apt.",
    )
    base_image: str = setting(
        "UCI_BASE_IMAGE",
        text,
        "",
        "Name of the base image for tickets that name none; empty: one made from the mirror.",
    )
    pool_owner: str = setting(
        "CI_LAUNCHPAD_PPA_OWNER", text, "local", "Owner of the archive pool and of the destination."
    )
    pool_size: int = setting(
        "UCI_POOL_SIZE", whole_number, "2", "Archives that a local pool is populated with."
    )
    destination_archive: str = setting(
        "UCI_DESTINATION_ARCHIVE",
        text,
        "archive",
        "Name of the archive that packages are published to.",
    )
    archives: str = setting(
        "UCI_ARCHIVES",
        choice("local", "launchpad"),
        "local",
        "Where packages are built and published: on this machine, or in Launchpad PPAs.",
    )
    image_store: str = setting(
        "UCI_IMAGE_STORE",
        choice("local", "glance"),
        "local",
        "Where images are kept: in the data directory, or in Glance.",
    )
    compute: str = setting(
        "UCI_COMPUTE",
        choice("local", "nova"),
        "local",
        "Where images are booted for their tests: on this machine, or in Nova from images in Glance.",
    )
    data_store: str = setting(
        "UCI_DATA_STORE",
        choice("local", "swift"),
        "local",
        "Where files are kept: in the data directory, or in Swift.",
    )
    accelerator: str = setting(
        "UCI_ACCELERATOR",
        choice("auto", "kvm", "tcg"),
        "auto",
        "How QEMU runs machines; auto probes whether KVM works and takes TCG otherwise.",
    )
    build_timeout: int = setting(
        "UCI_BUILD_TIMEOUT", whole_number, "7200", "Seconds that one package build may take."
    )
    build_memory: int = setting(
        "UCI_BUILD_MEMORY",
        size,
        "",
        "Memory for all programs of one build, image or unpacking together, for example 8G; "
        "empty: three quarters of this machine's.",
    )
    build_processes: int = setting(
        "UCI_BUILD_PROCESSES",
        whole_number,
        "4096",
        "Processes and threads that one build, image or unpacking may have at once.",
    )
    build_disk: int = setting(
        "UCI_BUILD_DISK",
        size,
        "",
        "Disk that one build or unpacking may fill, for example 20G; "
        "empty: half of what is free when it begins.",
    )
    image_timeout: int = setting(
        "UCI_IMAGE_TIMEOUT", whole_number, "1800", "Seconds that building one image may take."
    )
    test_timeout: int = setting(
        "UCI_TEST_TIMEOUT",
        whole_number,
        "10800",
        "Seconds that booting an image and the tests of one source package may take.",
    )
    progress_interval: int = setting(
        "UCI_PROGRESS_INTERVAL",
        whole_number,
        "60",
        "Seconds between two progress messages of one request; ten missed mean unresponsive.",
    )
    lease: int = setting(
        "UCI_LEASE",
        whole_number,
        "60",
        "Seconds after which another worker takes over a request whose worker fell silent.",
    )
    concurrent_tickets: int = setting(
        "UCI_CONCURRENT_TICKETS",
        whole_number,
        "1",
        "Tickets that are landed at once, if they have no source package in common; "
        "those that have one land in the order in which they were queued.",
    )
    worker_threads: int = setting(
        "UCI_WORKER_THREADS",
        optional_whole_number,
        "",
        "Requests that one process works on at once for each service that it hosts; "
        "empty: as many as UCI_CONCURRENT_TICKETS.",
    )
    web_processes: int = setting(
        "UCI_WEB_PROCESSES", whole_number, "2", "Processes that `uci-engine serve` answers requests with."
    )
    web_threads: int = setting(
        "UCI_WEB_THREADS", whole_number, "8", "Requests that each of these processes answers at once."
    )
    start_timeout: int = setting(
        "UCI_START_TIMEOUT",
        whole_number,
        "30",
        "Seconds that a process waits at its start for servers and services that do not answer yet.",
    )
    log_level: str = setting(
        "UCI_LOG_LEVEL",
        choice("debug", "info", "warning", "error"),
        "info",
        "How much the engine logs to its standard error.",
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check every setting; raise `ConfigurationError` with the setting's name."""
        refuse_unknown(os.environ if environ is None else environ)
        return super().from_environment(environ)

    @property
    def url(self) -> str:
        """Where this engine is reached: the public URL, else the listen address."""
        host, port = self.listen
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def service_url(self, service: str) -> str:
        """Base URL of a service by its name in `SERVICES`."""
        return str(getattr(self, f"{service}_url", "")) or self.url
