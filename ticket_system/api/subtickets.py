"""Subtickets, and the files of tickets and subtickets.

Specification: "Create subticket" and "Create artifact".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from tastypie.fields import ForeignKey

from ci_utils.api.resources import EngineMeta, EngineModelResource, principal_of_request
from ci_utils.api.schema import LINE, PACKAGE, URL, fields
from ci_utils.api.tokens import Scope
from ci_utils.hosting import ports
from ticket_system.api.fields import NAME, OWNER, number_of, uri_of
from ticket_system.api.packages import SourcePackageUploadResource
from ticket_system.api.tickets import TicketResource
from ticket_system.domain.artifacts import (
    FileReport,
    add_subticket_artifact,
    add_ticket_artifact,
    add_upload_file,
)
from ticket_system.domain.packages import add_subticket
from ticket_system.models import SubTicket, SubTicketArtifact, TicketArtifact
from ticket_system.models.visibility import visible_to


def _file_of(data: Mapping[str, Any]) -> FileReport:
    return FileReport(name=data["name"], type=data["type"], reference=data.get("reference", ""))


class PartOfTicketResource(EngineModelResource):
    """A part of tickets, seen by those who may see its ticket; Meta: `ticket_path`, the lookup to that."""

    def get_object_list(self, request: HttpRequest) -> QuerySet[Any]:
        parts: QuerySet[Any] = super().get_object_list(request)
        return parts.filter(visible_to(principal_of_request(request), self._meta.ticket_path))


class SubTicketResource(PartOfTicketResource):
    """`subticket/`: the parts of tickets."""

    ticket = ForeignKey(TicketResource, "ticket")
    source_package_upload = ForeignKey(SourcePackageUploadResource, "source_package_upload")

    class Meta(EngineMeta):
        resource_name = "subticket"
        ticket_path = "ticket__"
        queryset = SubTicket.objects.select_related("ticket", "source_package_upload__sourcepackage")
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get"]
        filtering = {
            "ticket": ["exact"],
            "current_workflow_step": ["exact", "in"],
            "status": ["exact", "in"],
            "assignee": ["exact"],
        }
        ordering = ["id", "current_workflow_step", "updated_at"]
        added_fields = {"step_name": LINE, "source": PACKAGE, "version": LINE}
        create_scopes = (Scope.SUBMIT,)
        create_schema = fields(
            {"source_package_upload": uri_of("spu"), "ticket": uri_of("ticket")}, {"assignee": OWNER}
        )

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["step_name"] = bundle.obj.step.label
        bundle.data["source"] = bundle.obj.source_package_upload.sourcepackage.name
        bundle.data["version"] = bundle.obj.source_package_upload.version
        return bundle

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        subticket = add_subticket(
            ticket_id=number_of(data["ticket"]),
            upload_id=number_of(data["source_package_upload"]),
            assignee=data.get("assignee", ""),
            by=principal_of_request(request),
        )
        return self.answer(request, subticket, status=201)


class TicketArtifactResource(PartOfTicketResource):
    """`ticketartifact/`: images, results and logs of tickets."""

    ticket = ForeignKey(TicketResource, "ticket")

    class Meta(EngineMeta):
        resource_name = "ticketartifact"
        ticket_path = "ticket__"
        queryset = TicketArtifact.objects.select_related("ticket")
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get"]
        filtering = {"ticket": ["exact"], "type": ["exact"], "name": ["exact"]}
        ordering = ["id"]
        create_scopes = (Scope.SERVICE,)
        create_schema = fields(
            {
                "name": NAME,
                "ticket": uri_of("ticket"),
                "reference": URL,
                "type": {"enum": TicketArtifact.Type.values},
            }
        )

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        artifact, created = add_ticket_artifact(
            ticket_id=number_of(data["ticket"]),
            file=_file_of(data),
            by=principal_of_request(request),
            stores=ports.data_stores(),
        )
        return self.answer(request, artifact, status=201 if created else 200)


class SubTicketArtifactResource(PartOfTicketResource):
    """`subticketartifact/`: uploaded files (SPU), results and logs of subtickets.

    A new file of an upload is answered with `upload_url`, the signed URL that takes it by PUT.
    """

    subticket = ForeignKey(SubTicketResource, "subticket")

    class Meta(EngineMeta):
        resource_name = "subticketartifact"
        ticket_path = "subticket__ticket__"
        queryset = SubTicketArtifact.objects.select_related("subticket")
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get"]
        filtering = {"subticket": ["exact"], "type": ["exact"], "name": ["exact"]}
        ordering = ["id"]
        create_scopes = (Scope.SUBMIT, Scope.SERVICE)
        create_schema = fields(
            {"name": NAME, "subticket": uri_of("subticket"), "type": {"enum": SubTicketArtifact.Type.values}},
            {"reference": URL},
        )
        optional_fields = {"upload_url": URL}

    def dehydrate(self, bundle: Any) -> Any:
        if hasattr(bundle.obj, "upload_url"):
            bundle.data["upload_url"] = bundle.obj.upload_url
        return bundle

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        subticket_id, by = number_of(data["subticket"]), principal_of_request(request)
        if data["type"] != SubTicketArtifact.Type.SPU:
            artifact, created = add_subticket_artifact(
                subticket_id=subticket_id, file=_file_of(data), by=by, stores=ports.data_stores()
            )
        else:
            artifact, url, created = add_upload_file(
                subticket_id=subticket_id, file=_file_of(data), by=by, stores=ports.data_stores()
            )
            artifact.upload_url = url  # type: ignore[attr-defined]
        return self.answer(request, artifact, status=201 if created else 200)
