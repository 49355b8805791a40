"""All containers of the data store in one Swift account."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from ci_utils.config import OpenStackConfig, SwiftConfig
from ci_utils.data_store.port import DataStores
from ci_utils.data_store.signed_urls import checked_container
from ci_utils.data_store.swift.account import Account
from ci_utils.data_store.swift.login import login_of
from ci_utils.data_store.swift.places import Places
from ci_utils.data_store.swift.store import SwiftDataStore
from ci_utils.errors import ConfigurationError, NotFound, Unavailable

#: For how long a container that a URL names is known; URLs of many files come at once.
KNOWN_SECONDS = 30.0
MOST_KNOWN = 1000
#: For how long URLs are signed without a look, once Swift did not answer.
AWAY_SECONDS = 5.0


class SwiftDataStores(DataStores):
    """Made of the settings alone: the first use logs in.

    Raises `ConfigurationError` for a setting that is missing.
    """

    def __init__(self, config: SwiftConfig, cloud: OpenStackConfig) -> None:
        if not config.signing_key:
            raise ConfigurationError("CI_TEMPURL_SIGNING_KEY is not set; UCI_DATA_STORE=swift needs it")
        self._config = config
        self._account = Account(login_of(config, cloud))
        self._asked_once = Account(login_of(config, cloud, patient=False))
        self._signs = False
        self._known: dict[tuple[str, Account], tuple[float, SwiftDataStore]] = {}
        self._away_until = float("-inf")
        self._last_places: Places | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """One try: is there a Swift, does it take this user, can it sign URLs as the settings say?"""
        self._asked_once.check()
        if not self._signs:
            self._check_limits(self._asked_once.capabilities())
        self._signs = True

    def open(self, component: str, identifier: str | None = None, *, public: bool = False) -> SwiftDataStore:
        name = component if identifier is None else f"{component}.{identifier}"
        store = self._store(checked_container(name), self._account)
        store.create(public=public)
        return store

    def locate(self, url: str) -> tuple[SwiftDataStore, str]:
        container, filename = self._places(self._account).split(url)
        return self._found(container, self._account), filename

    def readable_url(self, url: str, expires_in: int) -> str:
        if time.monotonic() >= self._away_until:
            try:
                self._last_places = self._places(self._asked_once)
                container, filename = self._last_places.split(url)
                return self._found(container, self._asked_once).download_url(filename, expires_in)
            except Unavailable:
                self._away_until = time.monotonic() + AWAY_SECONDS
        if self._last_places is None:
            raise Unavailable(f"Swift of {self._account.address_setting} does not answer")
        return self._last_places.signed("GET", *self._last_places.split(url), expires_in)

    def _found(self, name: str, account: Account) -> SwiftDataStore:
        """The container that a URL names; `NotFound` if there is none."""
        now = time.monotonic()
        with self._lock:
            found_at, store = self._known.get((name, account), (-KNOWN_SECONDS, None))
            if store and now - found_at < KNOWN_SECONDS:
                return store
        store = self._store(name, account)
        if not store.exists():
            raise NotFound(f"there are no files under {name}")
        with self._lock:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name, account] = (now, store)
        return store

    def _store(self, name: str, account: Account) -> SwiftDataStore:
        key, segment_bytes = self._config.signing_key, self._config.segment_bytes
        return SwiftDataStore(account, self._places(account), name, key, segment_bytes)

    def _places(self, account: Account) -> Places:
        return Places(account.url, self._config.signing_key, self._config.digest)

    def _check_limits(self, said: Mapping[str, Any]) -> None:
        """Compare the settings with what Swift says of itself, if it does."""
        swift = f"Swift of {self._account.address_setting}"
        if said and "tempurl" not in said:
            raise ConfigurationError(f"{self._account.address_setting}: this Swift does not offer TempURL")
        allowed = said.get("tempurl", {}).get("allowed_digests", [self._config.digest])
        if self._config.digest not in allowed:
            raise ConfigurationError(f"UCI_SWIFT_DIGEST: {swift} allows only {', '.join(allowed)}")
        most = said.get("swift", {}).get("max_file_size", self._config.segment_bytes)
        if self._config.segment_bytes > most:
            raise ConfigurationError(f"UCI_SWIFT_SEGMENT: {swift} takes no more than {most} bytes at once")
