"""Serves a WSGI application of OpenStack on loopback: `serve.py MODULE:NAME PORT`.

Runs inside the servers' environment. The applications read sys.argv as their
own, so a server's command line with arguments of its own would stop them.
"""

from __future__ import annotations

import importlib
import sys

import waitress

THREADS = 8
BODY_BYTES = 1 << 40

application, port = sys.argv[1:]
sys.argv = [application]
module, _, name = application.partition(":")
waitress.serve(
    getattr(importlib.import_module(module), name),
    host="127.0.0.1",
    port=int(port),
    threads=THREADS,
    max_request_body_size=BODY_BYTES,
)
