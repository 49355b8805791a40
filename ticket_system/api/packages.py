"""Source packages, binary packages, uploads and project data.

Specification: "Project" and "Create source package upload".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from tastypie.fields import ForeignKey

from ci_utils.api.resources import EngineMeta, EngineModelResource, EngineResource, principal_of_request
from ci_utils.api.schema import LINE, PACKAGE, body_of, fields
from ci_utils.api.tokens import Scope
from ticket_system.api.fields import number_of, uri_of
from ticket_system.domain.packages import add_source_package, add_upload
from ticket_system.domain.project import PROJECT_DATA, load_project_data
from ticket_system.models import BinaryPackage, SourcePackage, SourcePackageUpload

NUMBER = {"type": "integer", "minimum": 0}
NAME_LOOKUPS = ["exact", "in", "startswith", "contains"]


class SourcePackageResource(EngineModelResource):
    """`sourcepackage/`: the source packages that are known. POST of a known name answers with it."""

    class Meta(EngineMeta):
        resource_name = "sourcepackage"
        queryset = SourcePackage.objects.all()
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get"]
        filtering = {"name": NAME_LOOKUPS}
        ordering = ["id", "name"]
        create_scopes = (Scope.SUBMIT, Scope.SERVICE)
        create_schema = fields({"name": PACKAGE})

    def get_object_list(self, request: HttpRequest) -> QuerySet[SourcePackage]:
        packages: QuerySet[SourcePackage] = (
            super().get_object_list(request).visible_to(principal_of_request(request))
        )
        return packages

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        package, created = add_source_package(data["name"])
        return self.answer(request, package, status=201 if created else 200)


class BinaryPackageResource(EngineModelResource):
    """`binarypackage/`: the binary packages of the project data."""

    sourcepackage = ForeignKey(SourcePackageResource, "sourcepackage")

    class Meta(EngineMeta):
        resource_name = "binarypackage"
        queryset = BinaryPackage.objects.select_related("sourcepackage")
        list_allowed_methods = ["get"]
        detail_allowed_methods = ["get"]
        filtering = {"name": NAME_LOOKUPS, "seeded": ["exact"], "sourcepackage": ["exact"]}
        ordering = ["id", "name"]
        added_fields = {"source": PACKAGE}

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["source"] = bundle.obj.sourcepackage.name
        return bundle


class SourcePackageUploadResource(EngineModelResource):
    """`spu/`: versions of source packages that are uploaded."""

    sourcepackage = ForeignKey(SourcePackageResource, "sourcepackage")

    class Meta(EngineMeta):
        resource_name = "spu"
        queryset = SourcePackageUpload.objects.select_related("sourcepackage")
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get"]
        filtering = {"version": ["exact"], "sourcepackage": ["exact"]}
        ordering = ["id", "created_at"]
        create_scopes = (Scope.SUBMIT,)
        create_schema = fields({"sourcepackage": uri_of("sourcepackage"), "version": LINE})

    def get_object_list(self, request: HttpRequest) -> QuerySet[SourcePackageUpload]:
        uploads: QuerySet[SourcePackageUpload] = (
            super().get_object_list(request).visible_to(principal_of_request(request))
        )
        return uploads

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        upload = add_upload(
            sourcepackage_id=number_of(data["sourcepackage"]),
            version=data["version"],
            by=principal_of_request(request),
        )
        return self.answer(request, upload, status=201)


class ProjectDataResource(EngineResource):
    """`projectdata/`: POST loads a list of binary packages with their sources and versions."""

    class Meta(EngineMeta):
        resource_name = "projectdata"
        list_allowed_methods = ["post"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        create_scopes = (Scope.OPERATE, Scope.SERVICE)
        create_schema = PROJECT_DATA
        answers = {"post_list": {200: fields({"source_packages": NUMBER, "binary_packages": NUMBER})}}

    def post_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self.authorize(request, "create")
        return JsonResponse(load_project_data(body_of(request)))
