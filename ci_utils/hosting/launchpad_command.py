"""`uci-engine launchpad-credentials`: gets a token from Launchpad and writes the settings that hold it."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

from ci_utils.archive.launchpad.authorisation import begin_authorisation
from ci_utils.config import LaunchpadConfig
from ci_utils.errors import ConfigurationError


def make_credentials(output: str) -> None:
    """Print the address where the engine is allowed, wait, and write the settings to the file `output`.

    The file is for its owner alone. `-` prints them instead.
    """
    config = LaunchpadConfig.from_environment()
    authorisation = begin_authorisation(config)
    print("Open this address as the user that the engine shall work as, and choose Change Anything:\n")  # noqa: T201
    print(f"    {authorisation.url}\n", flush=True)  # noqa: T201 -- a command line's answer
    granted = authorisation.wait()
    if output == "-":
        sys.stdout.write(settings_text(granted))
        return
    write_private(Path(output), settings_text(granted))
    print(f"{granted.user} allowed it. The settings are in {output}; use them with: . ./{output}")  # noqa: T201


def settings_text(config: LaunchpadConfig) -> str:
    """Lines for a shell that set what Launchpad needs."""
    settings = {
        "CI_LAUNCHPAD_USER": config.user,
        "CI_OAUTH_CONSUMER_KEY": config.consumer_key,
        "CI_OAUTH_TOKEN": config.token,
        "CI_OAUTH_TOKEN_SECRET": config.token_secret,
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.absolute().parent, delete=False) as file:
            fresh = Path(file.name)
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(f"--output: {path.name} cannot be written: {error.strerror}") from None
