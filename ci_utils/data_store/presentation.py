"""How a stored file is handed to a browser: logs as text, everything else as an attachment.

What builds and tests wrote is never rendered: its type is made from its name,
and no name makes a page or a picture of it.
"""

from __future__ import annotations

import re

TEXT = (".log", ".txt", ".manifest", ".diff", ".changes", ".dsc")


def content_headers(filename: str) -> dict[str, str]:
    """The headers Content-Type and Content-Disposition of a file of this name."""
    if filename.endswith(TEXT):
        return {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": "inline"}
    safe = re.sub(r"[^A-Za-z0-9._+~-]", "_", filename)
    attachment = f'attachment; filename="{safe}"'
    return {"Content-Type": "application/octet-stream", "Content-Disposition": attachment}
