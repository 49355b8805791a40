"""The socket that a process listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ci_utils.apt.mirror import replace_text
from ci_utils.config import Config, listen_address
from ci_utils.errors import ConfigurationError

LAST_PORT = "last-port"


@contextmanager
def bound(config: Config) -> Iterator[socket.socket]:
    """The listening socket. Port 0 takes the port of the last run if it is free, so that URLs last."""
    host, port = config.listen
    candidates = [port] if port else [*_last_port(config), 0]
    for candidate in candidates:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, candidate), family=family, backlog=128)
        except OSError as error:
            refused = error
            continue
        with listening:
            yield listening
        return
    raise ConfigurationError(
        f"UCI_LISTEN: cannot listen on {host}:{port}: {refused.strerror}; choose another with --listen"
    ) from None


def remember(config: Config, listening: socket.socket) -> None:
    """Keep the port for the next run, if the disk takes it: without it that run only gets another."""
    with suppress(OSError):
        replace_text(config.data_dir / LAST_PORT, str(listening.getsockname()[1]))


def _last_port(config: Config) -> list[int]:
    """The port of the last run, if it was kept."""
    with suppress(OSError, ValueError):
        said = (config.data_dir / LAST_PORT).read_text().strip()
        return [listen_address(f"localhost:{said}")[1]]
    return []


def address_of(listening: socket.socket) -> str:
    """HOST:PORT of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
