"""Makes signing keys and source uploads, right ones and wrong ones, for tests."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ORIG = b"the upstream sources"
DEBIAN = b"the packaging"


class SigningKey:
    """A throw-away OpenPGP key in a directory of its own; `close` ends its agent."""

    def __init__(
        self,
        home: Path,
        uid: str,
        *,
        algorithm: str = "ed25519",
        expires: str = "never",
        options: Sequence[str] = (),
    ) -> None:
        self.home = home
        home.mkdir(mode=0o700, parents=True)
        unlocked = ("--pinentry-mode", "loopback", "--passphrase", "")
        self.gpg(*options, *unlocked, "--quick-gen-key", uid, algorithm, "sign", expires)

    @property
    def fingerprint(self) -> str:
        listing = self.gpg("--with-colons", "--list-keys").decode()
        return next(line.split(":")[9] for line in listing.split("\n") if line.startswith("fpr:"))

    def public(self, *options: str) -> bytes:
        return self.gpg(*options, "--export")

    def secret(self) -> bytes:
        return self.gpg("--export-secret-keys")

    def clearsign(self, content: bytes, *options: str) -> bytes:
        return self.gpg(*options, "--clearsign", input=content)

    def gpg(self, *arguments: str, input: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--no-tty", *arguments]
        return subprocess.run(command, input=input, check=True, capture_output=True).stdout

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)


@contextmanager
def throw_away_key(uid: str) -> Iterator[SigningKey]:
    """A key whose home and agent are gone with the context."""
    # Not below pytest's directory: a gpg-agent socket has a path of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="uci-gpg-", dir="/tmp") as directory:
        key = SigningKey(Path(directory) / "home", uid)
        try:
            yield key
        finally:
            key.close()


@dataclass
class Upload:
    """A source upload as `dpkg-buildpackage -S` makes it; change any part before `write`."""

    source: str = "hello"
    version: str = "2.10-4"
    fields: dict[str, str] = field(default_factory=dict)
    dsc_fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def file_version(self) -> str:
        return self.version.partition(":")[2] or self.version

    @property
    def changes_name(self) -> str:
        return f"{self.source}_{self.file_version}_source.changes"

    @property
    def dsc_name(self) -> str:
        return f"{self.source}_{self.file_version}.dsc"

    def contents(self) -> dict[str, bytes]:
        """All files but the .changes, by name."""
        upstream = self.file_version.rpartition("-")[0] or self.file_version
        parts = {
            f"{self.source}_{upstream}.orig.tar.gz": ORIG,
            f"{self.source}_{self.file_version}.debian.tar.xz": DEBIAN,
        }
        dsc = {
            "Format": "3.0 (quilt)",
            "Source": self.source,
            "Binary": self.source,
            "Architecture": "any",
            "Version": self.version,
            "Testsuite": "autopkgtest",
            "Files": _list(parts, "md5"),
            "Checksums-Sha256": _list(parts, "sha256"),
        }
        return {self.dsc_name: _stanza(dsc | self.dsc_fields), **parts} | self.files

    def changes(self) -> bytes:
        """The .changes, not signed."""
        listed = {name: data for name, data in self.contents().items() if name not in self.left_out}
        fields = {
            "Format": "1.8",
            "Date": "Mon, 02 Nov 2026 10:00:00 +0000",
            "Source": self.source,
            "Architecture": "source",
            "Version": self.version,
            "Distribution": "bookworm",
            "Urgency": "medium",
            "Maintainer": "Alice <alice@example.com>",
            "Changed-By": "Alice <alice@example.com>",
            "Closes": "123",
            "Changes": f"\n {self.source} ({self.version}) bookworm; urgency=medium"
            "\n .\n   * Greet the world.",
            "Checksums-Sha256": _list(listed, "sha256"),
            "Files": _list(listed, "md5", " devel optional"),
        }
        return _stanza(fields | self.fields)

    def write(self, directory: Path, key: SigningKey | None) -> Path:
        """Put all files into a directory and return the path of the .changes."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in self.contents().items():
            (directory / name).write_bytes(data)
        changes = directory / self.changes_name
        changes.write_bytes(key.clearsign(self.changes()) if key else self.changes())
        return changes


def _stanza(fields: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value).encode()


def _list(files: dict[str, bytes], algorithm: str, extra: str = "") -> str:
    return "".join(
        f"\n {hashlib.new(algorithm, data).hexdigest()} {len(data)}{extra} {name}"
        for name, data in files.items()
    )
