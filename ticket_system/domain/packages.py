"""Source packages, their uploads and subtickets, one by one.

Specification: "Add source package", "Create source package upload" and
"Create subticket".
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.errors import Conflict, InvalidRequest, NotFound, UploadRejected
from ci_utils.source_package.names import valid_package_name, valid_version
from ticket_system.domain.access import locked_ticket, require_change, require_new
from ticket_system.models import SourcePackage, SourcePackageUpload, SubTicket


def add_source_package(name: str) -> tuple[SourcePackage, bool]:
    """The source package of this name and whether it is new."""
    if not valid_package_name(name):
        raise InvalidRequest(f"name: {name[:60]!r} is not the name of a source package")
    return SourcePackage.objects.get_or_create(name=name)


def add_source_packages(names: Collection[str]) -> dict[str, SourcePackage]:
    """The source packages of these names, which are valid, by name."""
    known = SourcePackage.objects.filter(name__in=names)
    found = {package.name: package for package in known}
    if new := [name for name in names if name not in found]:
        SourcePackage.objects.bulk_create((SourcePackage(name=name) for name in new), ignore_conflicts=True)
        found = {package.name: package for package in known.all()}
    return found


def add_upload(*, sourcepackage_id: int, version: str, by: Principal) -> SourcePackageUpload:
    """Announce a version of a source package that is going to be uploaded."""
    by.require(Scope.SUBMIT)
    if not valid_version(version):
        raise InvalidRequest(f"version: {version[:60]!r} is not a Debian version")
    source = SourcePackage.objects.filter(pk=sourcepackage_id).first()
    if source is None:
        raise NotFound(f"there is no source package {sourcepackage_id}")
    return SourcePackageUpload.objects.create(sourcepackage=source, version=version, submitter=by.name)


def add_subticket(*, ticket_id: int, upload_id: int, assignee: str, by: Principal) -> SubTicket:
    """Make an upload part of a new ticket; it is the owner's task if no assignee is given."""
    with transaction.atomic():
        ticket = locked_ticket(ticket_id, by=by)
        require_change(ticket, by=by)
        require_new(ticket)
        upload = _own_upload(upload_id, by=by)
        if SubTicket.objects.filter(source_package_upload=upload).exists():
            raise Conflict(f"the source package upload {upload_id} is part of a ticket already; make another")
        source = upload.sourcepackage
        if ticket.subtickets.filter(source_package_upload__sourcepackage=source).exists():
            raise UploadRejected(f"the ticket has the source package {source} already; keep one upload of it")
        return SubTicket.objects.create(
            ticket=ticket, source_package_upload=upload, assignee=assignee or ticket.owner
        )


def _own_upload(upload_id: int, *, by: Principal) -> SourcePackageUpload:
    upload = SourcePackageUpload.objects.select_related("sourcepackage").filter(pk=upload_id).first()
    if upload is None or not (by.has(Scope.OPERATE) or upload.submitter == by.name):
        raise NotFound(f"there is no source package upload {upload_id} of yours")
    return upload
