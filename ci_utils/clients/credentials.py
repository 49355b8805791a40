"""Tokens of this user by the engine they are for.

One file, `ubuntu-ci/credentials.json` in the user's configuration directory
(`$XDG_CONFIG_HOME`, else `~/.config`), readable by the user alone. A local
engine writes its token there; `ubuntu-ci` reads it.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path

from ci_utils.errors import ConfigurationError


def credentials_path() -> Path:
    """Where the file is, whether it exists or not."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "ubuntu-ci" / "credentials.json"


def token_for(url: str) -> str:
    """The token kept for an engine's URL; empty if there is none."""
    return _read(credentials_path()).get(_key(url), "")


def save(url: str, token: str) -> None:
    """Keep the token for an engine's URL in place of an older one.

    Raises `ConfigurationError` if the file cannot be read or written.
    """
    path = credentials_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (path.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _replace(path, _read(path) | {_key(url): token})
    except OSError as error:
        raise ConfigurationError(f"cannot keep a token in {path}: {error.strerror}") from None


def _key(url: str) -> str:
    return url.rstrip("/")


def _read(path: Path) -> dict[str, str]:
    try:
        tokens = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        tokens = None
    if not isinstance(tokens, dict) or not all(isinstance(token, str) for token in tokens.values()):
        raise ConfigurationError(f"{path} must hold one JSON object of URLs and tokens; mend or remove it")
    return tokens


def _replace(path: Path, tokens: dict[str, str]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(tokens, file, indent=1)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
