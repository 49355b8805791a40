"""What Launchpad records of publications and builds, as far as the engine needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

#: The statuses of what is in an archive, or on its way into it.
ACTIVE = ("Pending", "Published")


@dataclass(frozen=True)
class Publication:
    """One version of a package in an archive, now or once.

    `status` is Pending, Published, Superseded, Deleted or Obsolete; `removed`
    says whether its files are gone from the archive too. `entry` is the
    library's object, for `WebService` alone.
    """

    entry: Any = field(repr=False, compare=False)
    name: str
    version: str
    status: str
    removed: bool
    series: str

    @property
    def active(self) -> bool:
        """Whether it is published or will be."""
        return self.status in ACTIVE


@dataclass(frozen=True)
class SourcePublication(Publication):
    """A source in an archive."""


@dataclass(frozen=True)
class BinaryPublication(Publication):
    """A binary package in an archive, for one architecture; `build` is the link of the build that made it."""

    architecture: str
    source: str
    source_version: str
    build: str


@dataclass(frozen=True)
class BuildRecord:
    """One build of a source for one architecture; `state` is in Launchpad's words.

    `dependencies` is what it waits for; `log_url` is empty until it has ended.
    """

    entry: Any = field(repr=False, compare=False)
    link: str
    source: str
    version: str
    architecture: str
    state: str
    dependencies: str
    log_url: str
    can_be_cancelled: bool
    can_be_retried: bool

    @property
    def id(self) -> str:
        """The number at the end of its link, which names it in its archive."""
        return self.link.rpartition("/")[2]


def source_publication(entry: Any) -> SourcePublication:
    """Read an entry of `getPublishedSources`."""
    return SourcePublication(
        entry=entry,
        name=entry.source_package_name,
        version=entry.source_package_version,
        status=entry.status,
        removed=entry.date_removed is not None,
        series=_words(entry.distro_series_link)[-1],
    )


def binary_publication(entry: Any) -> BinaryPublication:
    """Read an entry of `getPublishedBinaries`."""
    *_, series, architecture = _words(entry.distro_arch_series_link)
    return BinaryPublication(
        entry=entry,
        name=entry.binary_package_name,
        version=entry.binary_package_version,
        status=entry.status,
        removed=entry.date_removed is not None,
        series=series,
        architecture=architecture,
        source=entry.source_package_name,
        source_version=entry.source_package_version,
        build=entry.build_link or "",
    )


def build_record(entry: Any) -> BuildRecord:
    """Read an entry of `getBuilds`."""
    return BuildRecord(
        entry=entry,
        link=entry.self_link,
        source=entry.source_package_name,
        version=entry.source_package_version,
        architecture=entry.arch_tag,
        state=entry.buildstate,
        dependencies=entry.dependencies or "",
        log_url=entry.build_log_url or "",
        can_be_cancelled=bool(entry.can_be_cancelled),
        can_be_retried=bool(entry.can_be_retried),
    )


def _words(link: str) -> list[str]:
    return urlsplit(link).path.split("/")
