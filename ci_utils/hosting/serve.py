"""Serves the REST API of some services with gunicorn, where services run apart.

One process watches over a few that answer; none of them works on requests,
`uci-engine worker` does. The only importer of gunicorn.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ci_utils.config import Config
from ci_utils.errors import CIError, ConfigurationError
from ci_utils.hosting import stopping
from ci_utils.hosting.listening import address_of, bound
from ci_utils.hosting.secrets import require_shared

try:
    from gunicorn.app.base import BaseApplication
    from gunicorn.glogging import Logger
except ImportError:
    raise ConfigurationError("uci-engine serve needs gunicorn; install uci-engine[distributed]") from None

#: Requests that are being answered when the process should stop have so long to end.
GRACE_SECONDS = 20
#: A process that does not answer its parent for so long is replaced; requests may take longer.
SILENCE_SECONDS = 60
ACCESS_LINE = "%(t)s %(h)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"
_QUERY = re.compile(r"\?[^\s'\"]*")


def serve(listen: str | None = None) -> int:
    """Serve the services of UCI_SERVICES until SIGTERM or SIGINT; prints one line with the address."""
    if listen:
        os.environ["UCI_LISTEN"] = listen
    config = Config.from_environment()
    require_shared(config)
    if status := _in_a_child(_look_at_needs):
        return status
    with bound(config) as listening:
        descriptor = listening.detach()  # gunicorn closes it
    _Application(config, descriptor).run()
    return 0


def _look_at_needs() -> None:
    from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

    database.set_up()
    from ci_utils.hosting import needs, ports  # noqa: PLC0415 -- need Django to be set up

    config = ports.config()
    needs.require(config.services, asking=False, patience=config.start_timeout)


def _in_a_child(look: Callable[[], None]) -> int:
    """Look in a process of its own: connections that were opened must not be shared by those that serve."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        look()
        status = 0
    except CIError as error:
        print(f"uci-engine: {error.message}", file=sys.stderr)  # noqa: T201 -- a command line's answer
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


class AccessLog(Logger):  # type: ignore[misc]
    """One line per request, without query strings, which carry signatures, and without control characters."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.addFilter(_without_queries)

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        atoms["U"] = quote(environ.get("PATH_INFO", ""), encoding="latin-1", errors="replace")
        return atoms


def _without_queries(record: logging.LogRecord) -> bool:
    record.msg, record.args = _QUERY.sub("?…", record.getMessage()), ()
    return True


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, config: Config, descriptor: int) -> None:
        self._config = config
        self._descriptor = descriptor
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._descriptor}",
            "workers": self._config.web_processes,
            "worker_class": "gthread",
            "threads": self._config.web_threads,
            "timeout": SILENCE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "umask": 0o022,
            "control_socket_disable": True,
            "accesslog": "-",
            "access_log_format": ACCESS_LINE,
            "logger_class": AccessLog,
            "loglevel": self._config.log_level,
            "when_ready": _say_ready,
            "worker_exit": _close_ports,
            "on_exit": _stopped,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from ci_utils.hosting.wsgi import application  # noqa: PLC0415 -- after the fork

        return application


def _say_ready(arbiter: Any) -> None:
    # The line that says it is ready.
    print(f"Serving on http://{address_of(arbiter.LISTENERS[0].sock)}", flush=True)  # noqa: T201


def _close_ports(_: Any, __: Any) -> None:
    if ports := sys.modules.get("ci_utils.hosting.ports"):
        ports.close()


def _stopped(_: Any) -> None:
    stopping.no_more()
