"""The image store: bootable disk images by id.

Specification: chapter "Image Builder" (images of cloud type go to Glance).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Image:
    """What is known of a stored image; `size` in bytes, `checksum` is SHA-256 in hex."""

    id: str
    name: str
    size: int
    checksum: str
    public: bool
    properties: Mapping[str, str] = field(default_factory=dict)


class ImageStore(ABC):
    """Stores qcow2 disk images. Ids are opaque strings, made by the store."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` or `Unavailable`, naming the setting, unless it can be used now."""

    @abstractmethod
    def upload(
        self, name: str, path: Path, *, properties: Mapping[str, str] | None = None, public: bool = False
    ) -> Image:
        """Store a qcow2 file. It may be an overlay on a path that `fetch` gave.

        The store takes its own copy (or link); the caller keeps `path`. A
        half stored image is never seen by `get`, `list` or `find`.
        """

    @abstractmethod
    def get(self, image_id: str) -> Image:
        """One image; `NotFound` if there is none."""

    @abstractmethod
    def find(self, name: str) -> Image | None:
        """The newest image of this name."""

    @abstractmethod
    def list(self) -> list[Image]:
        """All images, oldest first."""

    @abstractmethod
    def fetch(self, image_id: str, directory: Path) -> Path:
        """A local qcow2 file to read from, possibly with a backing file.

        The path may lie outside `directory` and must never be written to;
        it stays valid as long as `directory` and the image exist.
        """

    @abstractmethod
    def download(self, image_id: str, path: Path) -> None:
        """Write the image to `path` as one qcow2 file that stands alone."""

    @abstractmethod
    def open_file(self, image_id: str) -> BinaryIO:
        """Open the image, as one qcow2 file that stands alone, to be read from any place."""

    @abstractmethod
    def standalone_checksum(self, image_id: str) -> str:
        """The SHA-256 in hex of the file that `open_file` gives."""

    @abstractmethod
    def url(self, image_id: str) -> str:
        """Where people download the image from, as one file."""

    @abstractmethod
    def delete(self, image_id: str) -> None:
        """Remove an image; `NotFound` if there is none.

        `Conflict` if others are built on it and need it, or a machine runs on it.
        """
