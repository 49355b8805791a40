"""One container of the data store in Swift.

Swift knows readers of containers, not of files, and a URL that takes a file
takes it again until it expires. So some files lie apart (see `places`):

- What comes by upload URL lies in a container that nobody but the engine
  reads. The first reading moves it to its place, with a type that no browser
  renders. What comes by the URL later is never looked at.
- A file that others may read than those of its container lies in a second
  one; its URL then leads there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from ci_utils.data_store.port import DataStore
from ci_utils.data_store.presentation import content_headers
from ci_utils.data_store.signed_urls import checked_filename
from ci_utils.data_store.swift.account import Account
from ci_utils.data_store.swift.places import INCOMING, PRIVATE, PUBLIC, Places
from ci_utils.data_store.swift.state import APART, KEY, SEGMENTS, State, readers
from ci_utils.data_store.swift.upload import rewindable, send
from ci_utils.errors import Conflict, NotFound

#: Files that `put_files` sends at the same time.
WRITERS = 8
SEGMENTED = "x-static-large-object"


class SwiftDataStore(DataStore):
    """A container `name`, whose URLs are signed with `key`; files above `segment_bytes` are segmented."""

    def __init__(self, account: Account, places: Places, name: str, key: str, segment_bytes: int) -> None:
        self.name = name
        self._account = account
        self._places = places
        self._key = key
        self._segment_bytes = segment_bytes
        self._incoming = f"{name}{INCOMING}"
        self._takes_uploads = False
        self._state: State | None = None

    def create(self, *, public: bool) -> None:
        """Make the container if it does not exist."""
        if not self.exists():
            self._account.make_container(self.name, {**readers(public), KEY: self._key})
            self._state = State(public=public, apart=False, segmented=False, key=self._key)

    def exists(self) -> bool:
        """Whether the container is there; sees to it that URLs signed now are good for it."""
        headers = self._account.container(self.name)
        self._state = None if headers is None else State.of(headers)
        if self._state and self._state.key != self._key:
            for container in (self.name, *self._apart(self._state)):
                with contextlib.suppress(NotFound):
                    self._account.change_container(container, {KEY: self._key})
        return self._state is not None

    def list_files(self) -> list[str]:
        if not self.exists():
            return []
        places = self._containers(self._known_state)
        return sorted({name for place in places for name in self._account.names(place, delimiter="/")})

    def put_file(self, filename: str, contents: bytes | BinaryIO) -> str:
        checked_filename(filename)
        return self._put(filename, contents, self._look())

    def put_files(self, files: Mapping[str, bytes]) -> list[str]:
        for filename in files:
            checked_filename(filename)
        state = self._look()
        with ThreadPoolExecutor(max(1, min(len(files), WRITERS))) as writers:
            return list(writers.map(lambda name: self._put(name, files[name], state), files))

    def get_file(self, filename: str) -> bytes:
        with self.open_file(filename) as stream:
            return stream.read()

    def open_file(self, filename: str) -> BinaryIO:
        stream = self._account.open(self.name, checked_filename(filename))
        if stream is None:
            place, _ = self._existing(filename)
            stream = self._account.open(place, filename)
        if stream is None:
            raise self._not_found(filename)
        return stream

    def file_size(self, filename: str) -> int:
        _, headers = self._existing(checked_filename(filename))
        return int(headers["content-length"])

    def change_visibility(self, filename: str, private: bool = False) -> None:
        place, _ = self._existing(checked_filename(filename))
        state = self._look()
        public = not private
        target = self.name if public == state.public else f"{self.name}{PUBLIC if public else PRIVATE}"
        if place == target:
            return
        if target != self.name:
            self._account.make_container(target, {**readers(public), KEY: self._key})
            self._remember(APART)
        self._move(filename, place, target)

    def change_container_visibility(self, public: bool = False) -> None:
        state = self._look()
        if state.public is not public:
            self._account.change_container(self.name, readers(public))
        if state.apart:
            self._gather()
        self._look()

    def delete_file(self, filename: str) -> None:
        place, headers = self._existing(checked_filename(filename))
        self._account.delete(place, filename, segmented=SEGMENTED in headers)
        self._account.delete(self._incoming, filename)

    def delete(self, recursive: bool = False) -> None:
        state = self._look()
        if not recursive and self.list_files():
            raise Conflict(f"the container {self.name} still has files; remove them first")
        for container in self._containers(state):
            self._account.remove_container(container)
        self._state, self._takes_uploads = None, False

    def clear(self) -> None:
        for container in self._containers(self._look()):
            self._account.empty(container)

    def file_path(self, filename: str) -> str:
        return self._places.url(self._place(checked_filename(filename)), filename)

    def download_url(self, filename: str, expires_in: int = 3600) -> str:
        return self._places.signed("GET", self._place(checked_filename(filename)), filename, expires_in)

    def upload_url(self, filename: str, expires_in: int = 3600) -> str:
        checked_filename(filename)
        if not self._takes_uploads:
            self._account.make_container(self._incoming, {**readers(public=False), KEY: self._key})
            self._takes_uploads = True
        return self._places.signed("PUT", self._incoming, filename, expires_in)

    @property
    def _known_state(self) -> State:
        return self._state or self._look()

    def _look(self) -> State:
        """The present state; `NotFound` if there is no such container."""
        if not self.exists() or self._state is None:
            raise NotFound(f"there are no files under {self.name}")
        return self._state

    def _remember(self, flag: str) -> None:
        self._account.change_container(self.name, {flag: "yes"})
        self._look()

    def _place(self, filename: str) -> str:
        """The container that a URL of the file leads to."""
        for container in self._apart(self._known_state):
            if self._account.file(container, filename):
                return container
        return self.name

    def _apart(self, state: State) -> list[str]:
        """The containers, there or not, that may have files which others may read than this one's."""
        return [f"{self.name}{PRIVATE}", f"{self.name}{PUBLIC}"] if state.apart else []

    def _containers(self, state: State) -> list[str]:
        """All that belong to this one, itself last."""
        return [self._incoming, *self._apart(state), self.name]

    def _existing(self, filename: str) -> tuple[str, Mapping[str, str]]:
        """The container that has a file, and the file's headers; an upload is taken in first."""
        if headers := self._account.file(self.name, filename):
            return self.name, headers
        for container in self._apart(self._look()):
            if headers := self._account.file(container, filename):
                return container, headers
        self._take_in(filename)
        # Also when there was nothing to take in: another reader may have done it meanwhile.
        if headers := self._account.file(self.name, filename):
            return self.name, headers
        raise self._not_found(filename)

    def _take_in(self, filename: str) -> None:
        """Move an upload, if there is one, to its place, as what its name says it is."""
        source = (self._incoming, filename)
        if self._account.copy(source, self.name, filename, content_headers(filename)):
            self._account.delete(*source)

    def _put(self, filename: str, contents: bytes | BinaryIO, state: State) -> str:
        """Store a file where one of its name is, else in the container."""
        apart = [place for place in self._apart(state) if self._account.file(place, filename)]
        place = apart[0] if apart else self.name
        with rewindable(contents) as (stream, length):
            self._send(place, filename, stream, length, state)
        return self._places.url(place, filename)

    def _send(self, place: str, filename: str, stream: BinaryIO, length: int, state: State) -> None:
        if length > self._segment_bytes and not state.segmented:
            self._remember(SEGMENTS)
        limit, segmented = self._segment_bytes, state.segmented
        send(self._account, place, filename, stream, length, segment_bytes=limit, segmented=segmented)

    def _move(self, filename: str, source: str, target: str) -> None:
        headers = self._account.file(source, filename)
        stream = self._account.open(source, filename)
        if headers is None or stream is None:
            raise self._not_found(filename)
        with stream, rewindable(stream) as (contents, length):
            self._send(target, filename, contents, length, self._known_state)
        self._account.delete(source, filename, segmented=SEGMENTED in headers)

    def _gather(self) -> None:
        """Bring the files that lie apart back; all of them may be read by the same readers now."""
        for container in self._apart(self._known_state):
            for filename in self._account.names(container, delimiter="/"):
                self._move(filename, container, self.name)
            self._account.remove_container(container)
        self._account.change_container(self.name, {APART: ""})

    def _not_found(self, filename: str) -> NotFound:
        return NotFound(f"there is no file {filename} in {self.name}")
