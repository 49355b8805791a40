"""Hands a source upload to Launchpad with dput.

The uploader's own signature goes with it, unchanged: Launchpad decides by it
who may upload. The engine verified it when the ticket was queued, so dput, which
knows none of the uploaders' keys, does not.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from ci_utils.commands import run
from ci_utils.errors import TimedOut, ToolFailed, Unavailable

logger = logging.getLogger(__name__)

UPLOAD_SECONDS = 1800
CONFIGURATION = """\
[launchpad]
fqdn = {host}
method = ftp
incoming = {incoming}
login = anonymous
passive_ftp = 1
"""


def upload_by_ftp(changes: Path, *, host: str, incoming: str) -> None:
    """Upload a .changes and the files beside it to a directory of an FTP server.

    The .changes goes last, so what breaks off before is no upload. Raises
    `Unavailable` if it breaks off and `ToolMissing` without dput.
    """
    with tempfile.TemporaryDirectory(prefix="uci-dput-") as directory:
        configuration = Path(directory) / "dput.cf"
        configuration.write_text(CONFIGURATION.format(host=host, incoming=incoming))
        options: list[str | Path] = ["--config", configuration, "--unchecked", "--force"]
        try:
            run(["dput", *options, "launchpad", changes], cwd=Path(directory), timeout=UPLOAD_SECONDS)
        except (ToolFailed, TimedOut) as error:
            logger.warning("dput %s: %s", changes.name, getattr(error, "output", error))
            raise Unavailable(
                f"the upload of {changes.name} to {host} broke off; see to the network, "
                "and to UCI_LAUNCHPAD_UPLOAD_HOST if it is set"
            ) from None
