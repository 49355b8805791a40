"""Looks whether what the demo claims is so, from outside and by other tools than the engine's own."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from ci_utils.apt.mirror import apt_environment
from ci_utils.commands import run
from ci_utils.config import Config
from cli.ticket import COMPLETE, Artifact, Ticket
from demo.source import Upload

BIN = Path(sys.executable).parent
HTTP_SECONDS = 300
MIB = 1 << 20


@dataclass(frozen=True)
class Finding:
    """One claim: whether it holds, and what was seen."""

    claim: str
    holds: bool
    seen: str


def look(ticket: Ticket, upload: Upload, *, url: str, config: Config) -> Iterator[Finding]:
    """Every claim of the demo, each looked at by itself."""
    yield Finding(f"ticket {ticket.id} is complete", ticket.step == COMPLETE, f"{ticket.state}")
    yield _published(upload, url, config)
    yield from _image(ticket)
    yield from _results(ticket, upload.source)


def _published(upload: Upload, url: str, config: Config) -> Finding:
    archive = f"{url}/archives/{config.pool_owner}/{config.destination_archive}"
    with tempfile.TemporaryDirectory(prefix="uci-demo-apt-") as scratch:
        policy = _apt_policy(upload.source, archive, config.series, Path(scratch))
    candidate = re.search(r"^  Candidate: (\S+)$", policy, re.MULTILINE)
    holds = candidate is not None and candidate[1] == upload.version and archive in policy
    seen = policy.rstrip() or f"apt knows no {upload.source} there"
    return Finding(f"{upload.source} {upload.version} is published", holds, seen)


def _apt_policy(package: str, archive: str, series: str, scratch: Path) -> str:
    """What `apt-cache policy` says where the published archive is the only one."""
    for name in ("lists/partial", "archives/partial", "parts"):
        (scratch / name).mkdir(parents=True)
    (scratch / "status").touch()
    key = scratch / "key.asc"
    key.write_bytes(_get(f"{archive}/key.asc").content)
    (scratch / "sources.list").write_text(f"deb [signed-by={key}] {archive} {series} main\n")
    options = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": scratch,
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch,
        "APT::Sandbox::User": "root",
        "Acquire::http::Proxy": "DIRECT",
        "Acquire::Languages": "none",
    }
    config = scratch / "apt.conf"
    config.write_text("".join(f'{name} "{value}";\n' for name, value in options.items()))
    environment = apt_environment(config)
    run(["apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update"], env=environment)
    return run(["apt-cache", "policy", package], env=environment).decode()


def _image(ticket: Ticket) -> Iterator[Finding]:
    images = [artifact for artifact in ticket.artifacts if artifact.type == "IMAGE"]
    for image in images:
        size = _size(image.url)
        yield Finding("an image was made", size > MIB, f"{image.url} ({size // MIB} MiB)")
    if not images:
        yield Finding("an image was made", holds=False, seen="the ticket has none")
    consoles = [a for a in ticket.artifacts if a.name.endswith("console.log")]
    last = _last_lines(consoles[-1]) if consoles else ""
    yield Finding("the image booted", "login:" in last, last or "the ticket has no log of a console")


def _last_lines(console: Artifact) -> str:
    text = _get(console.url).content.decode(errors="replace")
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()]
    return "\n".join("".join(c for c in line if c.isprintable()) for line in lines[-200:] if "login:" in line)


def _results(ticket: Ticket, source: str) -> Iterator[Finding]:
    claim = f"the DEP-8 tests of {source} passed on it"
    streams = [a for a in ticket.artifacts if a.type == "RESULTS" and a.name.endswith(".subunit")]
    for stream in streams:
        second = subprocess.run(
            [BIN / "subunit-1to2"], input=_get(stream.url).content, capture_output=True, check=True
        )
        shown = subprocess.run(
            [BIN / "subunit2pyunit"], input=second.stdout, capture_output=True, check=False
        )
        text = (shown.stdout + shown.stderr).decode(errors="replace").strip()
        ran = re.search(r"^Ran ([0-9]+) tests?", text, re.MULTILINE)
        holds = shown.returncode == 0 and ran is not None and int(ran[1]) > 0
        yield Finding(claim, holds, text)
    if not streams:
        yield Finding(claim, holds=False, seen="the ticket has no results")


def _size(url: str) -> int:
    """The size of a file in bytes, without fetching it."""
    first_byte = requests.get(url, headers={"Range": "bytes=0-0"}, timeout=HTTP_SECONDS)
    first_byte.raise_for_status()
    return int(first_byte.headers.get("Content-Range", "bytes 0-0/0").rpartition("/")[2])


def _get(url: str) -> requests.Response:
    answer = requests.get(url, timeout=HTTP_SECONDS)
    answer.raise_for_status()
    return answer
