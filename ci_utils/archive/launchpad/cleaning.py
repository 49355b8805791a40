"""Empties an archive of Launchpad for the next ticket.

Specification: chapter "PPA Assigner": deletion is requested, and the archive is
clean when the date of removal of every publication is set.
"""

from __future__ import annotations

from collections.abc import Iterable

from ci_utils.archive.launchpad.records import Publication
from ci_utils.archive.launchpad.web_service import WebService

COMMENT = "The CI engine cleans this archive for the next ticket."
#: Launchpad forgets no publication, and removes those of a ticket before the next ticket comes: when so
#: many in a row, the newest first, are removed, the older ones are too.
RUN_OF_REMOVED = 300


def delete_everything(service: WebService, archive: str) -> None:
    """Ask for the deletion of all sources with their binaries, and of binaries whose source went before."""
    for source in service.active_sources(archive):
        service.delete(source, COMMENT)
    for binary in service.active_binaries(archive):
        service.delete(binary, COMMENT)


def is_empty(service: WebService, archive: str) -> bool:
    """Whether everything that was ever published there is removed, files and all."""
    return all(_removed(publications) for publications in service.newest_publications(archive))


def _removed(publications: Iterable[Publication]) -> bool:
    for number, publication in enumerate(publications, start=1):
        if not publication.removed:
            return False
        if number == RUN_OF_REMOVED:
            break
    return True
