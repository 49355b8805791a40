"""A source upload of a real package: the mirror's own source with one more changelog entry."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from debian.changelog import Changelog

from ci_utils.apt.mirror import Mirror
from ci_utils.commands import run

AUTHOR = "Demo of the Ubuntu CI Engine <demo@example.com>"
UNLOCKED = ("--pinentry-mode", "loopback", "--passphrase", "")


class SigningKey:
    """An OpenPGP key that lives as long as the demo."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._gpg(*UNLOCKED, "--quick-gen-key", AUTHOR, "ed25519", "sign", "never")
        self.public_file = home / "demo-key.asc"
        self.public_file.write_bytes(self._gpg("--armor", "--export"))

    @property
    def fingerprint(self) -> str:
        """As `uci-engine uploader` names the key."""
        listing = self._gpg("--with-colons", "--list-keys").decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def clearsign(self, path: Path) -> None:
        """Replace a file by itself with a signature around it."""
        path.write_bytes(self._gpg("--clearsign", "--output", "-", "--", str(path)))

    def close(self) -> None:
        """End the agent that gpg started for this key."""
        run(["gpgconf", "--homedir", self._home, "--kill", "all"])

    def _gpg(self, *arguments: str) -> bytes:
        return run(["gpg", "--homedir", self._home, "--batch", "--quiet", "--no-tty", *arguments])


@contextmanager
def throw_away_key() -> Iterator[SigningKey]:
    """A signing key whose home is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="uci-demo-key-") as home:
        key = SigningKey(Path(home))
        try:
            yield key
        finally:
            key.close()


@dataclass(frozen=True)
class Upload:
    """A signed source upload; its files lie beside `changes`."""

    source: str
    version: str
    changes: Path


def make_upload(name: str, suffix: str, *, mirror: Mirror, directory: Path, key: SigningKey) -> Upload:
    """Take a source package from the mirror and give it a version that ends in `suffix`, signed."""
    dsc = mirror.fetch_source(name, directory)
    tree = directory / "tree"
    run(["dpkg-source", "--extract", dsc, tree])
    version = _add_entry(tree / "debian" / "changelog", name, suffix, mirror.series)
    run(["dpkg-source", "--build", tree], cwd=directory)
    stem = f"{name}_{version.partition(':')[2] or version}"
    key.clearsign(directory / f"{stem}.dsc")
    changes = directory / f"{stem}_source.changes"
    # -sa: the engine's archive has no upstream tarball yet
    changes.write_bytes(run(["dpkg-genchanges", "--build=source", "-sa", "-q"], cwd=tree))
    key.clearsign(changes)
    return Upload(name, version, changes)


def _add_entry(path: Path, name: str, suffix: str, series: str) -> str:
    changelog = Changelog(path.read_text())
    version = f"{changelog.full_version}{suffix}"
    changelog.new_block(
        package=name,
        version=version,
        distributions=series,
        urgency="medium",
        author=AUTHOR,
        date=formatdate(),
    )
    changelog.add_change("\n  * Go through the Ubuntu CI Engine.\n")
    path.write_text(str(changelog))
    return version
