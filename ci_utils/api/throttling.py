"""Slows down who tries tokens that are not known.

Every address has a few failed tries, which come back with time. Once they are
used up its tries are not even looked at, except tokens that were right before:
whoever shares the address with an attacker works on. Memory is bounded; an
attacker can only push other failures out of it, never what was right.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from django.conf import settings

from ci_utils.api.tokens import Principal, digest_of
from ci_utils.errors import TooManyRequests, Unauthenticated

TRIES = 10
SECONDS_PER_TRY = 6
MAX_REMEMBERED = 10_000


class FailedTries:
    """Failed tries by address, in this process. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: When each address will have all its tries back; the longer ago it failed, the nearer the front.
        self._recovered_at: OrderedDict[str, float] = OrderedDict()
        #: Digests of tokens that were right, the one used last at the end.
        self._right: OrderedDict[str, None] = OrderedDict()

    def slowed(self, address: str, token: str, principal_of: Callable[[str], Principal]) -> Principal:
        """Whom a token stands for; `TooManyRequests` once an address has no tries left."""
        network, digest = network_of(address), digest_of(token)
        self._refuse(network, digest)
        try:
            principal = principal_of(token)
        except Unauthenticated:
            self._failed(network, digest)
            raise
        self._succeeded(digest)
        return principal

    def expect(self, token: str) -> None:
        """Never refuse a token that is known to be right without a look at it."""
        self._succeeded(digest_of(token))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._recovered_at.clear()
            self._right.clear()

    def _refuse(self, network: str, digest: str) -> None:
        with self._lock:
            wait = self._recovered_at.get(network, 0.0) - self._clock() - (TRIES - 1) * SECONDS_PER_TRY
            if wait <= 0 or digest in self._right or digest == _services_digest():
                return
        seconds = math.ceil(wait)
        raise TooManyRequests(
            f"too many unknown tokens came from this address; try again in {seconds} seconds",
            retry_after=seconds,
        )

    def _failed(self, network: str, digest: str) -> None:
        with self._lock:
            now = self._clock()
            recovered_at = max(now, self._recovered_at.pop(network, now)) + SECONDS_PER_TRY
            self._recovered_at[network] = recovered_at
            self._right.pop(digest, None)  # revoked or expired: a try like any other from now on
            _bound(self._recovered_at)

    def _succeeded(self, digest: str) -> None:
        with self._lock:
            self._right[digest] = None
            self._right.move_to_end(digest)
            _bound(self._right)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that one customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))


def _services_digest() -> str:
    return digest_of(settings.UCI.service_token)


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)
