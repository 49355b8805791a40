"""An archive whose contents a test decides; all that the ticket system asks of archives."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ci_utils.archive.port import Archives, Build, PublishedSource
from ci_utils.compute.port import AptArchive


class KnownArchives(Archives):
    """Publishes `published` (name to version); the series has the binary packages `binaries`."""

    def __init__(self) -> None:
        self.published: dict[str, str] = {}
        self.binaries = {"hello", "vim"}

    def check(self) -> None:
        pass

    def destination(self) -> str:
        return "ppa:local/archive"

    def sources(self, archive: str) -> list[PublishedSource]:
        assert archive == self.destination()
        return [PublishedSource(name, version) for name, version in sorted(self.published.items())]

    def unknown_binaries(self, names: Iterable[str], *, series: str) -> list[str]:
        return sorted(set(names) - self.binaries)

    def list_pool(self) -> list[str]:
        raise NotImplementedError

    def upload(self, archive: str, changes: Path) -> None:
        raise NotImplementedError

    def builds(self, archive: str) -> list[Build]:
        raise NotImplementedError

    def cancel_builds(self, archive: str) -> None:
        raise NotImplementedError

    def build_log(self, archive: str, build_id: str) -> BinaryIO:
        raise NotImplementedError

    def fetch_source(self, archive: str, source: str, directory: Path) -> Path:
        raise NotImplementedError

    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        raise NotImplementedError

    def request_cleaning(self, archive: str) -> None:
        raise NotImplementedError

    def is_clean(self, archive: str) -> bool:
        raise NotImplementedError

    def apt_archive(self, archive: str) -> AptArchive:
        raise NotImplementedError
