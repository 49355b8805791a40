"""Swift's cache in the memory of its one proxy, in place of memcached.

Runs inside Swift's environment, as a filter of paste.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable, Mapping
from typing import Any

#: memcached takes longer times as points in time.
LONGEST_SECONDS = 30 * 24 * 3600


class MemoryCache:
    """What Swift asks of its cache. A restart of the proxy forgets everything, tokens too."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, raise_on_error: bool = False) -> Any:
        value, ends_at = self._kept.get(key, (None, 0.0))
        if ends_at and ends_at < clock.time():
            del self._kept[key]
            return None
        return value

    def set(self, key: str, value: Any, serialize: bool = True, time: float = 0, **options: Any) -> None:
        ends_at = time if not time or time > LONGEST_SECONDS else clock.time() + time
        self._kept[key] = (value, ends_at)

    def incr(self, key: str, delta: int = 1, time: float = 0) -> int:
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, time=time)
        return value

    def decr(self, key: str, delta: int = 1, time: float = 0) -> int:
        return self.incr(key, -int(delta), time)

    def delete(self, key: str, server_key: str | None = None) -> None:
        self._kept.pop(key, None)

    def set_multi(self, mapping: Mapping[str, Any], server_key: str, **options: Any) -> None:
        for key, value in mapping.items():
            self.set(key, value, **options)

    def get_multi(self, keys: Iterable[str], server_key: str) -> list[Any]:
        return [self.get(key) for key in keys]


def filter_factory(global_conf: Mapping[str, str], **options: str) -> Callable[[Any], Any]:
    """Put one cache into the environment of every request."""
    cache = MemoryCache()

    def wrap(app: Any) -> Any:
        def with_cache(environ: dict[str, Any], start_response: Any) -> Any:
            environ["swift.cache"] = cache
            return app(environ, start_response)

        return with_cache

    return wrap
