"""Archives in Launchpad: PPAs of one owner, built by Launchpad.

Specification: chapters "Launchpad Setup", "PPA Assigner", "Branch/Source
Builder", "Lander". All state is Launchpad's: an engine that starts again finds
everything there, and what it asks for twice is done once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO

from debian.debian_support import Version

from ci_utils.apt.mirror import Mirror, package_name
from ci_utils.apt.sources import binary_key
from ci_utils.archive.launchpad.admission import admit
from ci_utils.archive.launchpad.builds import described, provided
from ci_utils.archive.launchpad.cleaning import delete_everything, is_empty
from ci_utils.archive.launchpad.copying import copy_sources, wait_until_published
from ci_utils.archive.launchpad.files import fetch_log, fetch_source_files
from ci_utils.archive.launchpad.looks import Looks
from ci_utils.archive.launchpad.readiness import check_launchpad, check_settings
from ci_utils.archive.launchpad.records import BuildRecord
from ci_utils.archive.launchpad.uploading import upload_by_ftp
from ci_utils.archive.launchpad.web_service import DISTRIBUTION, WebService
from ci_utils.archive.port import Archives, Build, PublishedSource
from ci_utils.compute.port import AptArchive
from ci_utils.config import LaunchpadConfig
from ci_utils.errors import ConfigurationError, InvalidRequest, NotFound, Unavailable
from ci_utils.source_package.changes import read_changes
from ci_utils.source_package.control import MAX_BYTES
from ci_utils.source_package.dsc import check_files, in_directory

MIRROR_AGE_SECONDS = 3600
POOL_NAME = re.compile(r"ppa:[^/]+/ci_pool-[0-9]{3,}")
NAME = re.compile(r"[a-z0-9][a-z0-9+._-]*")


class LaunchpadArchives(Archives):
    """The PPAs `ci_pool-001`, … of `owner` and its PPA `destination`.

    `mirror` has the series that tickets build for. Answers about builds and
    cleaning are good for `poll_seconds`, by default those of the setting.
    """

    def __init__(
        self,
        config: LaunchpadConfig,
        mirror: Mirror,
        *,
        owner: str,
        destination: str,
        poll_seconds: float | None = None,
    ) -> None:
        self._config = config
        self._mirror = mirror
        self._owner = owner
        self._destination = f"ppa:{owner}/{destination}"
        self._service = WebService(config)
        self._poll_seconds = config.poll_seconds if poll_seconds is None else poll_seconds
        self._builds: Looks[list[Build]] = Looks(self._poll_seconds)
        self._clean: Looks[bool] = Looks(self._poll_seconds)
        self._ready: Looks[bool] = Looks(self._poll_seconds)
        self._keys: dict[str, bytes] = {}

    def close(self) -> None:
        """Close the connection to Launchpad."""
        self._service.close()

    def check(self) -> None:
        """Also sees whether the token is that of CI_LAUNCHPAD_USER, and whether the archives are there."""
        check_settings(self._config, self._owner)
        self._ready.at("", self._check_launchpad)

    def _check_launchpad(self) -> bool:
        check_launchpad(self._service, self._config.user, self._owner, self._destination)
        if not self.list_pool():
            raise ConfigurationError(
                f"CI_LAUNCHPAD_PPA_OWNER: {self._owner} has no PPA for tickets; "
                "make at least one in Launchpad and name it ci_pool-001"
            )
        return True

    def list_pool(self) -> list[str]:
        return sorted(name for name in self._service.archives_of(self._owner) if POOL_NAME.fullmatch(name))

    def destination(self) -> str:
        return self._destination

    def upload(self, archive: str, changes: Path) -> None:
        """Also refuses what Launchpad would, which says so only in a mail to the signer."""
        name = self._name(archive)
        with changes.open("rb") as stream:
            parsed = read_changes(stream.read(MAX_BYTES + 1), changes.name)
        control = check_files(parsed, in_directory(changes.parent))
        dsc = changes.parent / control.filename
        if admit(self._service, archive, self._destination, control, dsc):
            incoming = f"~{self._owner}/{DISTRIBUTION}/{name}/{self._mirror.series}"
            upload_by_ftp(changes, host=self._config.upload_host, incoming=incoming)
        self._forget(archive)

    def builds(self, archive: str) -> list[Build]:
        self._name(archive)
        return self._builds.at(archive, lambda: self._described(archive))

    def cancel_builds(self, archive: str) -> None:
        for record in self._records(archive):
            if record.can_be_cancelled:
                self._service.cancel_build(record)
        self._forget(archive)

    def build_log(self, archive: str, build_id: str) -> BinaryIO:
        record = next((record for record in self._records(archive) if record.id == build_id), None)
        if record is None:
            raise NotFound(f"{archive} has no build {build_id[:80]}")
        if not record.log_url:
            raise NotFound("this build has not ended, so Launchpad has no log of it")
        return fetch_log(record.log_url)

    def sources(self, archive: str) -> list[PublishedSource]:
        newest = self._newest(archive)
        binaries: dict[tuple[str, str], set[str]] = {}
        for binary in self._service.binaries(archive, status="Published"):
            binaries.setdefault((binary.source, binary.source_version), set()).add(binary.name)
        return [PublishedSource(*pair, sorted(binaries.get(pair, ()))) for pair in sorted(newest.items())]

    def versions(self, archive: str, names: Collection[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in names:
            found |= self._newest(archive, source_name=name, exact_match=True)
        return found

    def fetch_source(self, archive: str, source: str, directory: Path) -> Path:
        self._name(archive)
        records = self._service.sources(archive, source_name=source, exact_match=True, status="Published")
        newest = max(records, key=lambda record: Version(record.version), default=None)
        if newest is None:
            raise NotFound(f"{archive} has no source package {source[:80]}")
        return fetch_source_files(self._service.file_urls(newest), directory)

    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        for archive in (origin, target):
            self._name(archive)
        pairs = copy_sources(
            self._service,
            sources,
            origin=origin,
            target=target,
            series=self._mirror.series,
            builds=self._described(origin),
        )
        wait_until_published(self._service, pairs, target=target, poll_seconds=self._poll_seconds)

    def request_cleaning(self, archive: str) -> None:
        self.cancel_builds(archive)
        delete_everything(self._service, archive)
        self._forget(archive)

    def is_clean(self, archive: str) -> bool:
        self._name(archive)
        return self._clean.at(archive, lambda: is_empty(self._service, archive))

    def apt_archive(self, archive: str) -> AptArchive:
        name = self._name(archive)
        if not self._is_signed(archive):
            raise Unavailable(f"Launchpad has not made the signing key of {archive} yet")
        url = f"{self._config.packages_url}/{self._owner}/{name}/{DISTRIBUTION}"
        return AptArchive(f"deb {url} {self._mirror.series} main", self._keys[archive])

    def unknown_binaries(self, names: Iterable[str], *, series: str) -> list[str]:
        wanted = [package_name(name) for name in dict.fromkeys(names)]
        if series != self._mirror.series:
            raise InvalidRequest(f"this engine builds for {self._mirror.series}, not for {series[:40]}")
        if not wanted:
            return []
        self._mirror.refresh(MIRROR_AGE_SECONDS)
        unknown = self._mirror.knows_binaries(wanted)
        return [name for name in wanted if name in unknown and not self._publishes(name)]

    def _newest(self, archive: str, **filters: object) -> dict[str, str]:
        """The newest published version by the name of the source."""
        self._name(archive)
        newest: dict[str, str] = {}
        for source in self._service.sources(archive, status="Published", **filters):
            if source.series == self._mirror.series:
                known = newest.get(source.name, source.version)
                newest[source.name] = max(known, source.version, key=Version)
        return newest

    def _publishes(self, name: str) -> bool:
        filters = {"binary_name": name, "exact_match": True, "status": "Published"}
        return bool(self._service.binaries(self._destination, **filters))

    def _name(self, archive: str) -> str:
        """The name of one of the owner's archives; `NotFound` if it is none."""
        owner, _, name = archive.removeprefix("ppa:").partition("/")
        if not archive.startswith("ppa:") or owner != self._owner or not NAME.fullmatch(name):
            raise NotFound(f"there is no archive {archive[:100]}")
        self._service.require_archive(archive)
        return name

    def _records(self, archive: str) -> list[BuildRecord]:
        """Of all sources that are in the archive, or on their way into it."""
        self._name(archive)
        sources = self._service.active_sources(archive)
        return [record for source in sources for record in self._service.builds_of(source)]

    def _described(self, archive: str) -> list[Build]:
        """The builds, and those tried again that wait for packages which the archive has by now."""
        records = self._records(archive)
        binaries = self._service.active_binaries(archive)
        for record in records:
            if record.can_be_retried and provided(record, binaries, now=True):
                self._service.retry_build(record)
        signed = not binaries or self._is_signed(archive)
        return described(records, self._service.active_sources(archive), binaries, signed=signed)

    def _is_signed(self, archive: str) -> bool:
        """Whether Launchpad has made the key of an archive: it does some time after the first upload."""
        if archive not in self._keys and (key := self._service.signing_key(archive)):
            self._keys[archive] = binary_key(key.encode())
        return archive in self._keys

    def _forget(self, archive: str) -> None:
        self._builds.forget(archive)
        self._clean.forget(archive)
