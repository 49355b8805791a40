"""Which adapter stands behind which port, made once per process from the settings.

`api.py` and `worker.py` of the services fetch their ports here and hand them
to the verbs of their domain, which know no adapter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import cache, wraps
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from ci_utils.apt.mirror import Mirror
from ci_utils.archive.port import Archives
from ci_utils.clients.lander import LanderClient
from ci_utils.clients.ppa_assigner import PPAAssignerClient
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.clients.work import BranchSourceBuilderClient, ImageBuilderClient, TestRunnerClient
from ci_utils.compute.port import Compute
from ci_utils.config import Config, GlanceConfig, LaunchpadConfig, NovaConfig, OpenStackConfig, SwiftConfig
from ci_utils.data_store.port import DataStores
from ci_utils.data_store.signed_urls import SignedUrls
from ci_utils.errors import CIError, ConfigurationError
from ci_utils.hosting import leftovers
from ci_utils.image_store.port import ImageStore
from ci_utils.sandbox.limits import Limits
from ci_utils.work_queue.broker import Broker

#: Stands for the images where a container of files does; none can have this name.
IMAGES = "/images"
READABLE_SECONDS = 3600

T = TypeVar("T")
_making = threading.RLock()
_to_close: list[Callable[[], None]] = []


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """Make a port at its first use, once, however many threads ask at the same time."""
    made = cache(make)

    @wraps(make)
    def port() -> T:
        with _making:
            return made()

    return port


def config() -> Config:
    """The settings of this process."""
    configured: Config = settings.UCI
    return configured


def work_dir(service: str) -> Path:
    """Where workers of this service keep the files of a request, in a directory for each."""
    return config().data_dir / leftovers.WORK[service]


@_once
def broker() -> Broker:
    """The message broker of UCI_BROKER."""
    return Broker(config().broker)


def lease() -> timedelta:
    """How long a worker may be silent before another takes over."""
    return timedelta(seconds=config().lease)


def limits() -> Limits:
    """What one build, image or unpacking of tests may take of the machine."""
    settings = config()
    return Limits(settings.build_memory, settings.build_processes, settings.build_disk)


@_once
def data_stores() -> DataStores:
    """Where files are kept (UCI_DATA_STORE)."""
    if config().data_store == "swift":
        return _swift()
    from ci_utils.data_store.local import LocalDataStores  # noqa: PLC0415 -- only where it is used

    return LocalDataStores(config().data_dir / "data-store", config().url, config().secret_key.encode())


def _swift() -> DataStores:
    try:
        from ci_utils.data_store.swift import SwiftDataStores  # noqa: PLC0415 -- only where it is used
    except ImportError:
        raise ConfigurationError(
            "UCI_DATA_STORE: swift needs python-swiftclient; install uci-engine[distributed]"
        ) from None
    return SwiftDataStores(SwiftConfig.from_environment(), OpenStackConfig.from_environment())


def url_signer() -> SignedUrls:
    """Makes and checks the URLs that carry their own permission."""
    return SignedUrls(config().url, config().secret_key.encode())


def readable_url(url: str) -> str:
    """A URL that reads a private file or image of this engine for an hour; any other is left as it is."""
    images = f"{config().url}/images/"
    if url.startswith(images):
        name = url.removeprefix(images)
        return f"{url}?{url_signer().permission('GET', IMAGES, name, READABLE_SECONDS)}"
    try:
        return data_stores().readable_url(url, READABLE_SECONDS)
    except CIError:
        return url


@_once
def mirror() -> Mirror:
    """The mirror of the series that tickets are built for."""
    return Mirror(config().data_dir / "cache" / "apt", config().series, config().mirror)


@_once
def image_store() -> ImageStore:
    """Where images are kept (UCI_IMAGE_STORE)."""
    if config().image_store == "glance":
        return _glance()
    from ci_utils.image_store.local import LocalImageStore  # noqa: PLC0415 -- only where it is used

    return LocalImageStore(config().data_dir / "images", f"{config().url}/images")


def _glance() -> ImageStore:
    from ci_utils.image_store.glance import GlanceImageStore  # noqa: PLC0415 -- only where it is used

    settings = GlanceConfig.from_environment()
    return GlanceImageStore(
        settings.credentials(OpenStackConfig.from_environment()),
        config().data_dir / "cache" / "images",
        settings.cache_bytes,
        f"{config().url}/images",
    )


@_once
def archives() -> Archives:
    """The pool of archives, the destination, and the farm that builds in them (UCI_ARCHIVES)."""
    if config().archives == "launchpad":
        return _launchpad()
    from ci_utils.archive.local import LocalArchives  # noqa: PLC0415 -- only where it is used

    settings = config()
    made = LocalArchives(
        settings.data_dir / "archives",
        mirror(),
        owner=settings.pool_owner,
        destination=settings.destination_archive,
        pool_size=settings.pool_size,
        base_url=f"{settings.url}/archives",
        build_timeout=settings.build_timeout,
        limits=limits(),
        cache=settings.data_dir / "cache" / "builds",
    )
    _to_close.append(made.close)
    return made


def _launchpad() -> Archives:
    from ci_utils.archive.launchpad.archives import LaunchpadArchives  # noqa: PLC0415 -- where it is used

    made = LaunchpadArchives(
        LaunchpadConfig.from_environment(),
        mirror(),
        owner=config().pool_owner,
        destination=config().destination_archive,
    )
    _to_close.append(made.close)
    return made


@_once
def compute() -> Compute:
    """Where machines are booted (UCI_COMPUTE)."""
    if config().compute == "nova":
        return _nova()
    from ci_utils.compute.local import LocalCompute  # noqa: PLC0415 -- only where it is used

    return LocalCompute(
        image_store(),
        config().data_dir / "machines",
        mirror(),
        accelerator=config().accelerator,
        limits=limits(),
    )


def _nova() -> Compute:
    from ci_utils.compute.nova import NovaCompute  # noqa: PLC0415 -- only where it is used

    if config().image_store != "glance":
        raise ConfigurationError("UCI_COMPUTE: nova boots images from Glance; set UCI_IMAGE_STORE=glance too")
    return NovaCompute(
        OpenStackConfig.from_environment().credentials,
        NovaConfig.from_environment(),
        config().data_dir / "machines",
        mirror(),
    )


def ticket_system() -> TicketSystemClient:
    """A client of the ticket system. Clients are cheap and not shared between threads."""
    return TicketSystemClient(config().service_url("ticket_system"), config().service_token)


def lander() -> LanderClient:
    """A client of the lander."""
    return LanderClient(config().service_url("lander"), config().service_token)


def ppa_assigner() -> PPAAssignerClient:
    """A client of the PPA assigner."""
    return PPAAssignerClient(config().service_url("ppa_assigner"), config().service_token)


def branch_source_builder() -> BranchSourceBuilderClient:
    """A client of the branch/source builder."""
    return BranchSourceBuilderClient(config().service_url("branch_source_builder"), config().service_token)


def image_builder() -> ImageBuilderClient:
    """A client of the image builder."""
    return ImageBuilderClient(config().service_url("image_builder"), config().service_token)


def test_runner() -> TestRunnerClient:
    """A client of the test runner."""
    return TestRunnerClient(config().service_url("test_runner"), config().service_token)


def close() -> None:
    """Stop what the ports of this process run in the background."""
    while _to_close:
        _to_close.pop()()
