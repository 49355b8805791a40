"""Runs the engine: one process with the services, their workers and the HTTP server."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ci_utils.config import Config
from ci_utils.errors import ConfigurationError
from ci_utils.hosting import leftovers, listening, stopping
from ci_utils.hosting.secrets import require_shared

log = logging.getLogger(__name__)

HTTP_THREADS = 8
STOP_SECONDS = 10


def run(listen: str | None = None) -> int:
    """Serve and work until SIGTERM or SIGINT; prints one line with the address when it serves.

    `listen` (HOST:PORT) overrides UCI_LISTEN. Whatever is in work when it
    stops goes on at the next start.
    """
    if listen:
        os.environ["UCI_LISTEN"] = listen
    config = Config.from_environment()
    with _only_one(config.data_dir), listening.bound(config) as bound:
        leftovers.begin_without(config.data_dir)
        os.environ["UCI_LISTEN"] = listening.address_of(bound)
        listening.remember(config, bound)
        return _serve(bound)


def run_workers() -> int:
    """Run the workers of UCI_SERVICES, in a process of their own, until SIGTERM or SIGINT."""
    config = Config.from_environment()
    require_shared(config)
    with contextlib.ExitStack() as held:
        for service in config.services:
            held.enter_context(leftovers.working_without(config.data_dir, service))
        return _work(config)


def _work(config: Config) -> int:
    from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

    database.set_up()
    from ci_utils.hosting import needs, ports, threads  # noqa: PLC0415 -- need Django to be set up

    needs.require(config.services, asking=True, patience=config.start_timeout)
    stop, asked = threading.Event(), stopping.Asked()
    running = threads.made(stop)
    _start(running)
    print("Working", flush=True)  # noqa: T201 -- the line that says it is ready
    asked.wait()
    stop.set()
    _join(running)
    ports.close()
    stopping.no_more()
    return 0


def _serve(bound: socket.socket) -> int:
    import waitress  # noqa: PLC0415 -- after the settings

    from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

    database.prepare()
    from ci_utils.hosting import local_access, needs, ports, threads  # noqa: PLC0415 -- need Django set up
    from ci_utils.hosting.wsgi import application  # noqa: PLC0415 -- needs Django to be set up
    from ci_utils.work_queue.requests import void_leases  # noqa: PLC0415 -- needs Django to be set up

    config = ports.config()
    needs.require(config.services, asking=False, patience=config.start_timeout)
    with database.usable():
        void_leases()  # whoever held them is dead: this process holds the data directory's lock
        local_access.grant()
    stop, asked = threading.Event(), stopping.Asked()
    running = threads.made(stop)
    server = waitress.create_server(
        application,
        sockets=[bound],
        threads=HTTP_THREADS,
        ident=None,
        max_request_body_size=64 << 30,  # packages are large; the views have limits of their own
    )
    serving = threading.Thread(target=server.run, name="http", daemon=True)
    serving.start()
    print(f"Serving on {ports.config().url}", flush=True)  # noqa: T201 -- the line that says it is ready
    _start(running)
    asked.wait()
    stop.set()
    log.info("stopping")
    _join(running)
    ports.close()
    server.close()
    stopping.no_more()
    return 0


def _start(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()


def _join(running: list[threading.Thread]) -> None:
    """Wait for the threads, within reason: what does not stop dies with the process and goes on later."""
    deadline = time.monotonic() + STOP_SECONDS
    for thread in running:
        thread.join(max(0.0, deadline - time.monotonic()))


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: two engines on one would take over each other's work."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "engine.lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"UCI_DATA_DIR: cannot use {data_dir}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another engine runs on {data_dir}; stop it or choose another --data-dir"
            ) from None
        yield
