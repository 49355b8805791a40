"""A ticket from a form: what people write, and the files of signed uploads."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError, UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.control import MAX_BYTES

TEXTS = ("title", "description", "owner", "bug_id")


@dataclass(frozen=True)
class SentFile:
    """A file of the form: the name that it had, and where it lies now."""

    name: str
    path: Path


def submit(
    client: TicketSystemClient, form: Mapping[str, str], files: Sequence[SentFile], *, key: str
) -> int:
    """Make a ticket, send its files and queue it; its number.

    The same `key` again is the same ticket. Raises what is wrong as a sentence;
    a ticket that was made and cannot be queued is cancelled.
    """
    sent = {file.name: file for file in files}
    uploads = [_read(file) for file in files if file.name.endswith(".changes")]
    if not uploads:
        raise UploadRejected("choose the _source.changes of a signed upload, and all files that it lists")
    _require_all(uploads, sent)
    sources = [
        {"changes_name": upload.filename, "changes": text, "dsc": _text(sent[upload.dsc.name])}
        for upload, text in uploads
    ]
    made = client.create_bundle(_draft(form) | {"sources": sources}, key=key)
    try:
        for source in made["sources"]:
            for name, url in source["uploads"].items():
                client.upload(url, sent[name].path)
        client.queue(made["id"])
    except CIError:
        with contextlib.suppress(CIError):
            client.cancel(made["id"])
        raise
    return int(made["id"])


def _draft(form: Mapping[str, str]) -> dict[str, Any]:
    return {
        **{name: form.get(name, "").strip() for name in TEXTS},
        "add_packages": form.get("add_packages", "").replace(",", " ").split(),
        "remove_packages": form.get("remove_packages", "").replace(",", " ").split(),
        "private": bool(form.get("private")),
    }


def _read(file: SentFile) -> tuple[SourceChanges, str]:
    text = _text(file)
    return read_changes(text.encode(), file.name), text


def _text(file: SentFile) -> str:
    with file.path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UploadRejected(f"{file.name} is larger than {MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UploadRejected(f"{file.name} is no text in UTF-8") from None


def _require_all(uploads: Sequence[tuple[SourceChanges, str]], sent: Mapping[str, SentFile]) -> None:
    for upload, _ in uploads:
        for file in upload.files:
            if file.name not in sent:
                raise UploadRejected(
                    f"{upload.filename} lists {file.name}, which was not chosen; choose it too"
                )
