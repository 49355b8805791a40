"""The data store: artifacts and other files, by container.

Specification: chapter "Data Store". A container is named by a component and
an identifier (`DataStore("ticket.1", "sources")` is `ticket.1.sources`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import BinaryIO


class DataStore(ABC):
    """One container of files. File names are plain names, never paths."""

    @abstractmethod
    def list_files(self) -> list[str]:
        """Names of all files in the container, sorted."""

    @abstractmethod
    def put_file(self, filename: str, contents: bytes | BinaryIO) -> str:
        """Store a file (replacing one of that name at once) and return its URL.

        A stream is copied in pieces. Raises `InvalidRequest` for a name that
        is empty, has a slash or a control character, or is `.` or `..`.
        """

    def put_files(self, files: Mapping[str, bytes]) -> list[str]:
        """Store many small files as `put_file` does one, each by itself; their URLs in the same order."""
        return [self.put_file(filename, contents) for filename, contents in files.items()]

    @abstractmethod
    def get_file(self, filename: str) -> bytes:
        """The contents of a file; `NotFound` if there is none."""

    @abstractmethod
    def open_file(self, filename: str) -> BinaryIO:
        """A file's contents as a stream; `NotFound` if there is none."""

    @abstractmethod
    def file_size(self, filename: str) -> int:
        """Size in bytes; `NotFound` if there is no such file."""

    @abstractmethod
    def change_visibility(self, filename: str, private: bool = False) -> None:
        """Make one file private, or public."""

    @abstractmethod
    def change_container_visibility(self, public: bool = False) -> None:
        """Make the whole container public, or private (new files follow it)."""

    @abstractmethod
    def delete_file(self, filename: str) -> None:
        """Remove a file; `NotFound` if there is none."""

    @abstractmethod
    def delete(self, recursive: bool = False) -> None:
        """Remove the container; `Conflict` if it has files and `recursive` is not set."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all files, keep the container."""

    @abstractmethod
    def file_path(self, filename: str) -> str:
        """The lasting URL of a file (readable by anybody only while it is public)."""

    @abstractmethod
    def download_url(self, filename: str, expires_in: int = 3600) -> str:
        """A URL that reads this file without a token for `expires_in` seconds."""

    @abstractmethod
    def upload_url(self, filename: str, expires_in: int = 3600) -> str:
        """A URL that takes this file by PUT, without a token, for `expires_in` seconds.

        What the engine has read of the file once stays as it was, whatever is
        sent to the URL later; a store may refuse that or ignore it.
        """


class DataStores(ABC):
    """Where the containers are."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` or `Unavailable`, naming the setting, unless it can be used now."""

    @abstractmethod
    def open(self, component: str, identifier: str | None = None, *, public: bool = False) -> DataStore:
        """The container of a component; made if it does not exist, `public` counts then only."""

    @abstractmethod
    def locate(self, url: str) -> tuple[DataStore, str]:
        """Container and file name of a URL that this data store handed out.

        Raises `InvalidRequest` for any other address: nothing else is ever fetched.
        """

    def readable_url(self, url: str, expires_in: int) -> str:
        """A URL that reads the file of a lasting URL for `expires_in` seconds; raises as `locate` does.

        Pages ask it for many files: a store that is away must not hold them up.
        """
        store, filename = self.locate(url)
        return store.download_url(filename, expires_in)
