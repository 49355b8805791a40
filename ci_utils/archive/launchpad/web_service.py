"""Launchpad's web service, as far as the engine uses it, in the engine's own terms.

Only this package imports launchpadlib. Version `devel` of the service is used:
older ones can neither cancel a build nor hand out the key of a PPA.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from launchpadlib.credentials import AccessToken, Credentials
from launchpadlib.launchpad import Launchpad
from lazr.restfulclient.resource import Collection

from ci_utils.archive.launchpad.errors import RefusedByLaunchpad, translated
from ci_utils.archive.launchpad.records import (
    ACTIVE,
    BinaryPublication,
    BuildRecord,
    Publication,
    SourcePublication,
    binary_publication,
    build_record,
    source_publication,
)
from ci_utils.config.launchpad import LaunchpadConfig
from ci_utils.errors import NotFound

VERSION = "devel"
DISTRIBUTION = "ubuntu"
POCKET = "Release"
TIMEOUT_SECONDS = 60

T = TypeVar("T")


class _NoCache:
    """Stands for the library's cache, which would keep one file for every question ever asked."""

    def get(self, key: str) -> None:
        return None

    def set(self, key: str, value: bytes) -> None:
        return None

    def delete(self, key: str) -> None:
        return None


class _Connection(Launchpad):  # type: ignore[misc]  # the library has no types
    """The library's connection, which can be closed, and is if Launchpad does not let it begin."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            self.http.close()
            raise

    def httpFactory(self, *arguments: Any) -> Any:  # noqa: N802 -- the library's name
        self.http = super().httpFactory(*arguments)
        return self.http


class WebService:
    """One connection, made at the first question; threads use it one after the other.

    Archives are named by their references (`ppa:OWNER/NAME`), which must be
    well formed. All methods raise `NotFound` for what Launchpad does not have,
    `ConfigurationError` for a token that it does not accept, `Forbidden`,
    `RefusedByLaunchpad` with its reason, and `Unavailable`.
    """

    def __init__(self, config: LaunchpadConfig) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._launchpad: Any = None
        self._archives: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            if self._launchpad is not None:
                self._launchpad.http.close()
            self._launchpad = None
            self._archives.clear()

    def user(self) -> str:
        """The login that the token belongs to."""
        return self._ask("the user of the token", lambda: str(self._service().me.name))

    def archives_of(self, owner: str) -> list[str]:
        """References of the PPAs of a person or team, unsorted."""

        def ask() -> list[str]:
            ppas = self._service().load(f"~{owner}").ppas
            return [f"ppa:{owner}/{ppa.name}" for ppa in ppas]

        return self._ask(f"person or team {owner}", ask)

    def require_archive(self, archive: str) -> None:
        """Raise `NotFound` unless there is such an archive."""
        self._ask(f"archive {archive}", lambda: self._archive(archive))

    def sources(self, archive: str, **filters: object) -> list[SourcePublication]:
        """The publication records of sources, filtered as `getPublishedSources` does."""
        return list(self._pages(archive, "getPublishedSources", source_publication, filters))

    def binaries(self, archive: str, **filters: object) -> list[BinaryPublication]:
        """The publication records of binaries, filtered as `getPublishedBinaries` does."""
        return list(self._pages(archive, "getPublishedBinaries", binary_publication, filters))

    def active_sources(self, archive: str) -> list[SourcePublication]:
        """The publication records of sources that are published or will be."""
        return [record for status in ACTIVE for record in self.sources(archive, status=status)]

    def active_binaries(self, archive: str) -> list[BinaryPublication]:
        """The publication records of binaries that are published or will be."""
        return [record for status in ACTIVE for record in self.binaries(archive, status=status)]

    def newest_publications(self, archive: str) -> tuple[Iterator[Publication], Iterator[Publication]]:
        """All records there ever were of sources and of binaries, newest first, fetched as they are read."""
        newest_first: dict[str, object] = {"order_by_date": True}
        return (
            self._pages(archive, "getPublishedSources", source_publication, newest_first),
            self._pages(archive, "getPublishedBinaries", binary_publication, newest_first),
        )

    def builds_of(self, source: SourcePublication) -> list[BuildRecord]:
        """The build records of a source."""
        return self._ask(
            "source", lambda: [build_record(build) for build in _entries(source.entry.getBuilds())]
        )

    def file_urls(self, source: SourcePublication) -> list[str]:
        """Where the files of a source are."""
        return self._ask("source", lambda: list(source.entry.sourceFileUrls()))

    def delete(self, publication: Publication, comment: str) -> None:
        """Ask for the deletion of a source with its binaries, or of a binary."""
        self._ask("publication", lambda: publication.entry.requestDeletion(removal_comment=comment))

    def cancel_build(self, build: BuildRecord) -> None:
        """Stop a build that waits or runs."""
        self._ask("build", build.entry.cancel)

    def retry_build(self, build: BuildRecord) -> None:
        """Let a build be tried again."""
        self._ask("build", build.entry.retry)

    def copy(self, names: Sequence[str], *, origin: str, target: str, series: str) -> None:
        """Copy the newest published version of each source with its binaries, all or none."""
        self._ask(
            f"archive {target}",
            lambda: self._archive(target).syncSources(
                source_names=list(names),
                from_archive=self._archive(origin),
                to_pocket=POCKET,
                to_series=series,
                include_binaries=True,
            ),
        )

    def signing_key(self, archive: str) -> str:
        """The armored public key that signs an archive; empty until Launchpad has made it."""
        try:
            key = self._ask(f"signing key of {archive}", lambda: self._archive(archive).getSigningKeyData())
        except (NotFound, RefusedByLaunchpad):
            return ""
        return str(key or "")

    def _pages(
        self, archive: str, operation: str, read: Callable[[Any], T], filters: dict[str, object]
    ) -> Iterator[T]:
        what = f"archive {archive}"
        found = self._ask(what, lambda: _entries(getattr(self._archive(archive), operation)(**filters)))
        while records := self._ask(what, lambda: [read(entry) for entry in islice(found, 1)]):
            yield from records

    def _ask(self, what: str, ask: Callable[[], T]) -> T:
        with self._lock, translated(what):
            return ask()

    def _archive(self, archive: str) -> Any:
        if archive not in self._archives:
            owner, _, name = archive.removeprefix("ppa:").partition("/")
            self._archives[archive] = self._service().load(f"~{owner}/+archive/{DISTRIBUTION}/{name}")
        return self._archives[archive]

    def _service(self) -> Any:
        if self._launchpad is None:
            credentials = Credentials(
                self._config.consumer_key,
                access_token=AccessToken(self._config.token, self._config.token_secret),
            )
            # Without an authorization engine nobody is asked for a new token: an engine has no one to ask.
            self._launchpad = _Connection(
                credentials,
                None,
                None,
                self._config.service_root,
                _NoCache(),
                TIMEOUT_SECONDS,
                version=VERSION,
            )
        return self._launchpad


def _entries(answer: Any) -> Iterator[Any]:
    """The entries of a list; an empty page, which the library hands on as it is, is none."""
    if not isinstance(answer, Collection):
        raise TypeError("not a list of entries")
    return iter(answer)
