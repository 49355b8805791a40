"""Requests to one Swift account: repeated where that can help, with errors as the engine's own."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

import requests
from swiftclient.client import Connection
from swiftclient.exceptions import ClientException
from urllib3.exceptions import HTTPError

from ci_utils.data_store.swift.download import Download
from ci_utils.data_store.swift.login import CONNECT_SECONDS, Access, Login
from ci_utils.errors import CIError, ConfigurationError, Conflict, NotFound, Unavailable
from ci_utils.retries import PAUSES

PIECE_BYTES = 1 << 20
#: Silence allowed, to those that are patient and to those that are not.
READ_SECONDS, IMPATIENT_SECONDS = 60, 10

# It tells of requests that fail, with the beginnings of tokens and keys and all that Swift answers.
logging.getLogger("swiftclient").setLevel(logging.WARNING)

Headers = Mapping[str, str]


class Account:
    """The account that a login gives.

    A request that fails because the connection broke, or with a status of 408,
    429 or 5xx, is made again after pauses of 0.5 to 4 seconds if the login is
    patient, and then fails as `Unavailable`; one whose token was refused is
    made again with a new one. `NotFound` and `Conflict` say no more than that
    Swift answered so: the caller knows the names.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._local = threading.local()
        #: The setting that says where Swift is, for errors.
        self.address_setting = login.address_setting

    @property
    def url(self) -> str:
        """The account's address, of which those of containers and files are made."""
        return self._login.access().storage_url

    def capabilities(self) -> dict[str, Any]:
        """What this Swift says that it can do; nothing if it does not say."""
        with self._translated(), contextlib.suppress(ClientException):
            return dict(self._connection().get_capabilities())
        return {}

    def container(self, name: str) -> dict[str, str] | None:
        """The headers of a container; None if there is none."""
        try:
            with self._translated():
                return dict(self._connection().head_container(name))
        except NotFound:
            return None

    def make_container(self, name: str, headers: Headers) -> None:
        """Make a container, or give these headers to the one that is there."""
        with self._translated():
            self._connection().put_container(name, headers=headers)

    def change_container(self, name: str, headers: Headers) -> None:
        """Set headers of a container; an empty value removes one."""
        with self._translated():
            self._connection().post_container(name, headers)

    def remove_container(self, name: str) -> None:
        """Remove a container with all that is in it, if it is there; `Conflict` if more comes meanwhile."""
        self.empty(name)
        try:
            with self._translated():
                self._connection().delete_container(name)
        except NotFound:
            return
        except Conflict:
            raise Conflict(f"{name} got a file while it was removed; try again") from None

    def empty(self, container: str) -> None:
        """Remove all that is in a container, if it is there."""
        for name in self.names(container):
            self.delete(container, name)

    def names(self, container: str, *, prefix: str = "", delimiter: str = "") -> list[str]:
        """Names of all files that begin with the prefix, without those that have a delimiter behind it."""
        try:
            with self._translated():
                _, entries = self._connection().get_container(
                    container, prefix=prefix or None, delimiter=delimiter or None, full_listing=True
                )
        except NotFound:
            return []
        return [entry["name"] for entry in entries if "name" in entry]

    def file(self, container: str, name: str) -> dict[str, str] | None:
        """The headers of a file; None if there is none."""
        try:
            with self._translated():
                return dict(self._connection().head_object(container, name))
        except NotFound:
            return None

    def open(self, container: str, name: str) -> BinaryIO | None:
        """A file's contents, which go on where a connection breaks; None if there is none.

        The stream has a connection of its own, as it may be read by another thread.
        """
        connection = _Connection(self._login)
        try:
            with self._translated():
                headers, body = connection.get_object(container, name, resp_chunk_size=PIECE_BYTES)
        except NotFound:
            return None
        return Download(body, int(headers["content-length"]), connection.close, self._translated).buffered()

    def put(
        self, container: str, name: str, stream: BinaryIO, *, length: int, md5: str, headers: Headers
    ) -> None:
        """Store `length` bytes of a seekable stream, from where it stands, in one piece.

        Swift refuses them if their MD5 is another when they arrive.
        """
        with self._translated():
            self._connection().put_object(
                container,
                name,
                stream,
                content_length=length,
                etag=md5,
                chunk_size=PIECE_BYTES,
                headers=headers,
            )

    def put_manifest(self, container: str, name: str, manifest: bytes, headers: Headers) -> None:
        """Make one file of segments that are there (a static large object)."""
        with self._translated():
            self._connection().put_object(
                container,
                name,
                io.BytesIO(manifest),
                content_length=len(manifest),
                headers=headers,
                query_string="multipart-manifest=put",
            )

    def copy(self, source: tuple[str, str], container: str, name: str, headers: Headers) -> bool:
        """Copy a file with these headers alone; False if there is none."""
        path = "/".join(quote(part, safe="") for part in source)
        fresh = {"X-Copy-From": path, "X-Fresh-Metadata": "true", **headers}
        try:
            with self._translated():
                self._connection().put_object(container, name, b"", headers=fresh)
        except NotFound:
            return False
        return True

    def delete(self, container: str, name: str, *, segmented: bool = False) -> None:
        """Remove a file, with its segments if it has some; one that is not there is no error."""
        query = "multipart-manifest=delete" if segmented else None
        with contextlib.suppress(NotFound), self._translated():
            self._connection().delete_object(container, name, query_string=query)

    def check(self) -> None:
        """One request for the account."""
        with self._translated():
            self._connection().head_account()

    def _connection(self) -> _Connection:
        """This thread's connection. One from before a fork is the parent's, whose answers it would take."""
        if getattr(self._local, "process", None) != os.getpid():
            self._local.connection = _Connection(self._login)
            self._local.process = os.getpid()
        connection: _Connection = self._local.connection
        connection.keep_up()
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ClientException as error:
            raise self._error(error.http_status) from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unavailable(f"Swift of {self.address_setting} does not answer") from error

    def _error(self, status: int | None) -> CIError:
        swift = f"Swift of {self.address_setting}"
        match status:
            case 404:
                return NotFound(f"{swift} has no such container or file")
            case 409:
                return Conflict(f"{swift} says that the container is not empty")
            case 401 | 403:
                return ConfigurationError(
                    f"{self._login.user_settings}: {swift} does not let this user keep files; "
                    "it needs the role of an operator of its account"
                )
            case 413:
                return CIError(f"{swift} takes no file of this size; its account may be full")
            case 422:
                return Unavailable(f"a file did not arrive at {swift} as it was sent")
            case _:
                return Unavailable(f"{swift} does not work at the moment (status {status or 'unknown'})")


class _Connection(Connection):  # type: ignore[misc]  # swiftclient has no types
    """Makes requests with the token that all threads share."""

    def __init__(self, login: Login) -> None:
        super().__init__(
            retries=len(PAUSES) if login.patient else 0,
            starting_backoff=PAUSES[0],
            # These are never sent: `get_auth` below logs in. Without them no refused token is replaced.
            authurl="-",
            user="-",
            key="-",
            timeout=(CONNECT_SECONDS, READ_SECONDS if login.patient else IMPATIENT_SECONDS),
        )
        self._login = login
        self._used: Access | None = None

    def keep_up(self) -> None:
        """Begin with the token of now: if that is refused then, no other thread has a better one."""
        if self._used is not None and self._used != self._login.present:
            self.url = self.token = None

    def get_auth(self) -> tuple[str, str]:
        """Called without a token, and when the last one was refused."""
        self._used = self._login.access(refused=self._used)
        return self._used.storage_url, self._used.token
