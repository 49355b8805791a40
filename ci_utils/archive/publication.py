"""Writes the index files of one archive so that apt never sees half a change.

Every index is there under its hash before `InRelease`, which names the
hashes, is renamed into place.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from ci_utils.archive.signing_key import SigningKey

COMPONENT = "main"
#: How long readers may still use what an earlier InRelease named.
GRACE_SECONDS = 3600


@dataclass(frozen=True)
class Publication:
    """The published face of an archive: `DIRECTORY/dists/SUITE` and its key."""

    directory: Path
    label: str
    suite: str
    architecture: str
    key: SigningKey

    def publish(self, *, packages: Iterable[str], sources: Iterable[str]) -> None:
        """Replace the indices by these stanzas."""
        suite = self.directory / "dists" / self.suite
        indices = {}
        for name, stanzas in (
            (f"{COMPONENT}/binary-{self.architecture}/Packages", packages),
            (f"{COMPONENT}/source/Sources", sources),
        ):
            content = "\n".join(stanza.rstrip("\n") + "\n" for stanza in stanzas).encode()
            indices[name] = content
            indices[f"{name}.gz"] = gzip.compress(content, 6, mtime=0)
        entries = [self._write_index(suite, name, content) for name, content in indices.items()]
        _write(self.directory / "key.gpg", self.key.public_key())
        _write(self.directory / "key.asc", self.key.public_key_text().encode())
        _write(suite / "InRelease", self.key.clearsign(self._release(entries).encode()))
        self._forget_old(suite, {entry.split()[0] for entry in entries})

    def _write_index(self, suite: Path, name: str, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        by_hash = (suite / name).parent / "by-hash" / "SHA256" / digest
        _write(by_hash, content)
        os.utime(by_hash)
        _write(suite / name, content)
        return f"{digest} {len(content)} {name}"

    def _release(self, entries: list[str]) -> str:
        date = formatdate(usegmt=True).replace("GMT", "UTC")
        fields = [
            "Origin: Ubuntu CI Engine",
            f"Label: {self.label}",
            f"Suite: {self.suite}",
            f"Codename: {self.suite}",
            f"Date: {date}",
            f"Architectures: {self.architecture}",
            f"Components: {COMPONENT}",
            "Acquire-By-Hash: yes",
            "SHA256:",
        ]
        return "\n".join([*fields, *(f" {entry}" for entry in entries)]) + "\n"

    def _forget_old(self, suite: Path, current: set[str]) -> None:
        for path in suite.glob("*/*/by-hash/SHA256/*"):
            if path.name not in current and time.time() - path.stat().st_mtime > GRACE_SECONDS:
                path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Have a file with this content; it is on the disk before it has its name, for power can fail."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
