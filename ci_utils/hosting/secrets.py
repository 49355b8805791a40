"""Secrets that a single machine makes for itself, once, in its data directory; apart, all must be given."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from pathlib import Path

from ci_utils.config import Config
from ci_utils.errors import ConfigurationError


def with_local_secrets(config: Config) -> Config:
    """The configuration with the secrets that it lacks read from, or made in, the data directory."""
    return dataclasses.replace(
        config,
        secret_key=config.secret_key or kept(config.data_dir, "secret-key"),
        service_token=config.service_token or kept(config.data_dir, "service-token"),
    )


def require_shared(config: Config) -> None:
    """Raise `ConfigurationError` for what processes cannot make up for themselves: they must agree on it."""
    needed = {
        "UCI_SECRET_KEY": config.secret_key,
        "UCI_SERVICE_TOKEN": config.service_token,
        "UCI_PUBLIC_URL": config.public_url,
        "UCI_LANDER_URL": config.lander_url,
    }
    for name, value in needed.items():
        if not value:
            raise ConfigurationError(
                f"{name} must be set, and be the same for all of them, where services run apart"
            )
    if config.broker.startswith("memory:"):
        raise ConfigurationError(
            "UCI_BROKER: memory:// does not reach other processes; give a RabbitMQ (amqp://USER:PASSWORD@HOST//)"
        )


def kept(directory: Path, name: str) -> str:
    """A secret of this name, made at the first call and the same ever after."""
    path = directory / name
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        return path.read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"UCI_DATA_DIR: cannot use {directory}: {error.strerror}; choose another with --data-dir"
        ) from None


def _write_once(path: Path, value: str) -> None:
    """Write a file that only its owner reads; a process that is second finds the first one's."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(temporary)
    temporary.unlink()
