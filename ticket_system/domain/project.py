"""Project data: the binary packages that are monitored and tested, and what they are built from.

Specification: "Project Manager" (a file in JSON format with the binary name,
source package name and version per entry).
"""

from __future__ import annotations

from django.db import transaction

from ci_utils.api.schema import LINE, PACKAGE, fields, list_of, parse_json
from ci_utils.errors import InvalidRequest
from ci_utils.source_package.names import valid_version
from ticket_system.models import BinaryPackage, SourcePackage

MAX_ENTRIES = 100_000
#: JSON Schema of the file.
PROJECT_DATA = list_of(fields({"binary": PACKAGE, "source": PACKAGE, "version": LINE}), most=MAX_ENTRIES)

Entry = dict[str, str]


def load_project_data(content: bytes) -> dict[str, int]:
    """Add or update the packages that a file lists; all of them or, if one is wrong, none.

    Returns the numbers of `source_packages` and `binary_packages` that it
    names. Raises `InvalidRequest` that names the wrong entry.
    """
    entries = checked_entries(parse_json(content, PROJECT_DATA))
    names = {entry["source"] for entry in entries}
    with transaction.atomic():
        SourcePackage.objects.bulk_create(
            [SourcePackage(name=name) for name in sorted(names)], ignore_conflicts=True, batch_size=1000
        )
        sources = {source.name: source for source in SourcePackage.objects.all()}
        BinaryPackage.objects.bulk_create(
            [_binary(entry, sources[entry["source"]]) for entry in entries],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["sourcepackage", "version", "seeded"],
            batch_size=1000,
        )
    return {"source_packages": len(names), "binary_packages": len(entries)}


def checked_entries(entries: list[Entry]) -> list[Entry]:
    """The entries if each has a version and its binary package only once, else `InvalidRequest`."""
    seen = set()
    for entry in entries:
        if not valid_version(entry["version"]):
            raise InvalidRequest(f"{entry['binary']}: {entry['version'][:60]!r} is not a Debian version")
        if entry["binary"] in seen:
            raise InvalidRequest(f"the project data has the binary package {entry['binary']} twice")
        seen.add(entry["binary"])
    return entries


def _binary(entry: Entry, source: SourcePackage) -> BinaryPackage:
    return BinaryPackage(name=entry["binary"], sourcepackage=source, version=entry["version"], seeded=True)
