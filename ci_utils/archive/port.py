"""Archives: the isolated PPAs that tickets build in and the destination.

Specification: chapters "PPA Assigner", "Branch/Source Builder", "Lander".
An archive is named `ppa:OWNER/NAME` everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from ci_utils.compute.port import AptArchive


class BuildState(Enum):
    """States of a build record, named as Launchpad names them."""

    NEEDS_BUILD = "Needs building"
    BUILDING = "Currently building"
    UPLOADING = "Uploading build"
    DEPENDENCY_WAIT = "Dependency wait"
    BUILT = "Successfully built"
    FAILED = "Failed to build"
    CANCELLED = "Cancelled build"

    @property
    def ended(self) -> bool:
        return self in (BuildState.BUILT, BuildState.FAILED, BuildState.CANCELLED, BuildState.DEPENDENCY_WAIT)


@dataclass(frozen=True)
class Build:
    """One build of one source for one architecture.

    `id` is opaque to callers; `reason` is one sentence when it failed;
    DEPENDENCY_WAIT is reported only when nothing is left that could end it.
    """

    id: str
    source: str
    version: str
    architecture: str
    state: BuildState
    reason: str = ""


@dataclass(frozen=True)
class PublishedSource:
    """A source in an archive with the binary packages it was built into."""

    name: str
    version: str
    binaries: Sequence[str] = ()


class Archives(ABC):
    """A pool of archives of one owner, a destination, and the farm that builds in them."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` or `Unavailable`, naming the setting, unless it can be used now."""

    @abstractmethod
    def list_pool(self) -> list[str]:
        """References of all archives of the pool (`ppa:OWNER/ci_pool-001`, …), sorted."""

    @abstractmethod
    def destination(self) -> str:
        """Reference of the archive that packages are published to."""

    @abstractmethod
    def upload(self, archive: str, changes: Path) -> None:
        """Hand in a source upload; its files lie beside the .changes.

        Building starts by itself. Handing in the very same upload again does
        nothing, and after the archive was cleaned it is built anew, unless its
        kind takes a version only once (Launchpad's does). Raises
        `UploadRejected` (bad checksum, a version that is not higher than what
        the archive has or the destination ever had, one that the archive has
        seen with other contents, …), `NotFound`.
        """

    @abstractmethod
    def builds(self, archive: str) -> list[Build]:
        """All build records of what is in the archive now."""

    @abstractmethod
    def cancel_builds(self, archive: str) -> None:
        """Stop what is queued or building in this archive."""

    @abstractmethod
    def build_log(self, archive: str, build_id: str) -> BinaryIO:
        """The log of a build, as far as it is written."""

    @abstractmethod
    def sources(self, archive: str) -> list[PublishedSource]:
        """The newest published version of each source, sorted by name."""

    def versions(self, archive: str, names: Collection[str]) -> dict[str, str]:
        """The newest published version of each of these sources that the archive has."""
        return {source.name: source.version for source in self.sources(archive) if source.name in names}

    @abstractmethod
    def fetch_source(self, archive: str, source: str, directory: Path) -> Path:
        """Write a published source's files into `directory`; the path of the .dsc."""

    @abstractmethod
    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        """Copy (name, version) pairs with their binaries, all or none, and wait until published.

        Copying what is there already does nothing. `Conflict` if the target
        has a higher version.
        """

    @abstractmethod
    def request_cleaning(self, archive: str) -> None:
        """Begin to remove everything from the archive."""

    @abstractmethod
    def is_clean(self, archive: str) -> bool:
        """Whether nothing is published, queued or building any more."""

    @abstractmethod
    def apt_archive(self, archive: str) -> AptArchive:
        """How apt installs from it."""

    @abstractmethod
    def unknown_binaries(self, names: Iterable[str], *, series: str) -> list[str]:
        """Those names that no binary package of the series or the destination has."""
