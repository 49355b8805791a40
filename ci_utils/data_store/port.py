"""The data store: artifacts and other files, by container.

Specification: chapter "Data Store". A container is named by a component and
an identifier (`DataStore("ticket.1", "sources")` is `ticket.1.sources`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
        """A URL that takes one PUT of this file without a token for `expires_in` seconds."""


class DataStores(ABC):
    """Where the containers are."""

    @abstractmethod
    def open(self, component: str, identifier: str | None = None, *, public: bool = False) -> DataStore:
        """The container of a component; made if it does not exist, `public` counts then only."""

    @abstractmethod
    def locate(self, url: str) -> tuple[DataStore, str]:
        """Container and file name of a URL that this data store handed out.

        Raises `InvalidRequest` for any other address: nothing else is ever fetched.
        """
