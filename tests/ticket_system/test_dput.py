"""Debian's own dput against the engine over HTTP, with the configuration that the documentation gives."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.db import connections

from ci_utils.hosting import wsgi
from tests.source_packages import SourcePackage
from ticket_system.models import Ticket

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "upload-with-dput.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("dput") is None, reason="dput is not installed"),
]


def documented(address: str) -> str:
    """The section of dput.cf in the documentation, for another engine."""
    section: str
    [section] = re.findall(r"```ini\n(\[uci\].*?)```", HOW_TO.read_text(), re.DOTALL)
    return section.replace("127.0.0.1:8000", address)


class Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """Where the engine serves."""

    def application(environ, start_response):
        with closing(wsgi.application(environ, start_response)) as answer:
            yield from answer
        connections.close_all()

    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def dput(address, trusted, lander, tmp_path):
    """Runs `dput uci CHANGES`, in a home of its own that has the key to check signatures with."""
    (tmp_path / ".dput.cf").write_text(documented(address))

    def run(changes: Path, key=trusted) -> subprocess.CompletedProcess[str]:
        environment = {"HOME": str(tmp_path), "GNUPGHOME": str(key.home), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            ["dput", "--no-upload-log", "uci", changes],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_an_upload_by_dput_is_a_queued_ticket(dput, trusted, tmp_path):
    done = dput(SourcePackage("tiny", "1.0").upload(tmp_path, trusted))
    assert done.returncode == 0, done.stdout + done.stderr
    ticket = Ticket.objects.get()
    assert (ticket.step.label, ticket.owner) == ("Queued", "alice@example.com")


def test_dput_shows_why_an_upload_is_refused(dput, trusted, mallory, archives, tmp_path):
    archives.published["tiny"] = "1.0"
    done = dput(SourcePackage("tiny", "1.0").upload(tmp_path, trusted))
    assert done.returncode == 1
    assert "Upload failed: 400 tiny 1.0 is not higher than the published version 1.0" in done.stdout
    done = dput(SourcePackage("other", "1.0").upload(tmp_path, mallory), mallory)
    assert "which this engine does not trust" in done.stdout
    assert not Ticket.objects.exists()
