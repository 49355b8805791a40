"""The engine's own OpenPGP key, which signs its archives; made once, never handed out."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path

from ci_utils.apt.sources import armored
from ci_utils.commands import run
from ci_utils.errors import ToolFailed


class SigningKey:
    """A key in a GnuPG home that only the engine's user can read.

    `home` is that directory, made with the key in it on first use.
    """

    def __init__(self, home: Path, user_id: str) -> None:
        self._home = home
        self._user_id = user_id

    def ensure(self) -> None:
        """Make the key unless it is there."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._home.chmod(0o700)
        with (self._home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.public_key():
                self._gpg(
                    "--passphrase", "", "--quick-generate-key", self._user_id, "ed25519", "sign", "never"
                )

    def public_key(self) -> bytes:
        """The public key, binary as apt's keyrings are; empty if there is none yet."""
        return self._gpg("--export")

    def public_key_text(self) -> str:
        """The public key in its text form."""
        return armored(self.public_key())

    def clearsign(self, text: bytes) -> bytes:
        """The text with its signature around it."""
        return self._gpg("--digest-algo", "SHA512", "--clearsign", "--output", "-", input=text)

    def close(self) -> None:
        """End the agent that gpg left running for this key."""
        with contextlib.suppress(ToolFailed):
            run(["gpgconf", "--homedir", self._home, "--kill", "all"])

    def _gpg(self, *arguments: str, input: bytes | None = None) -> bytes:
        options = ["--batch", "--quiet", "--no-auto-check-trustdb", "--pinentry-mode", "loopback"]
        return run(["gpg", "--homedir", self._home, *options, *arguments], input=input)
