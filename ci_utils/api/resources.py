"""Base classes of all REST resources.

Errors become JSON in one place; writes are read by schema and handed to a verb
of the service's domain; reads of models are tastypie's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, JsonResponse
from tastypie.authorization import ReadOnlyAuthorization
from tastypie.exceptions import ImmediateHttpResponse, TastypieError
from tastypie.resources import ModelResource, Resource

from ci_utils.api.authentication import TokenAuthentication
from ci_utils.api.schema import read_json
from ci_utils.api.tokens import Principal
from ci_utils.errors import CIError, NotFound


def error_response(error: CIError) -> JsonResponse:
    """The JSON form of an error: {"error": sentence}."""
    response = JsonResponse({"error": error.message}, status=error.http_status)
    if error.http_status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


class EngineMeta:
    """What every resource's Meta inherits."""

    authentication = TokenAuthentication()
    authorization = ReadOnlyAuthorization()
    max_limit = 1000
    include_resource_uri = True


class _EngineBehaviour:
    """Errors as JSON, and writes by schema. Subclasses define `create` and `change` as they need.

    Meta: `create_schema` (POST to the list), `change_schema` (PATCH of one).
    """

    _meta: Any

    def dispatch(self, request_type: str, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        # tastypie takes the method from this header, past its own list of allowed methods.
        request.META.pop("HTTP_X_HTTP_METHOD_OVERRIDE", None)
        try:
            return super().dispatch(request_type, request, **kwargs)  # type: ignore[misc,no-any-return]
        except CIError as error:
            raise ImmediateHttpResponse(error_response(error)) from None
        except (ObjectDoesNotExist, OverflowError):
            missing = NotFound(f"there is no {self._meta.resource_name} here")
            raise ImmediateHttpResponse(error_response(missing)) from None
        except TastypieError as error:
            if isinstance(error, ImmediateHttpResponse):
                raise
            message = str(error) or "the request is not valid"
            raise ImmediateHttpResponse(JsonResponse({"error": message}, status=400)) from None

    def post_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self.authorize(request, "create")
        data = read_json(request, self._meta.create_schema)
        return self.create(request, data)

    def patch_detail(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.authorize(request, "change")
        data = read_json(request, self._meta.change_schema)
        try:
            pk = int(kwargs["pk"])
        except ValueError:
            raise NotFound(f"there is no {self._meta.resource_name} of this number") from None
        return self.change(request, pk, data)

    def authorize(self, request: HttpRequest, action: str) -> None:
        """Raise unless the principal has one of the scopes that Meta names for `create` or `change`."""
        principal_of_request(request).require(*getattr(self._meta, f"{action}_scopes"))

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        raise NotImplementedError

    def change(self, request: HttpRequest, pk: int, data: Mapping[str, Any]) -> HttpResponse:
        raise NotImplementedError

    def answer(self, request: HttpRequest, obj: Any, *, status: int) -> HttpResponse:
        """One object as JSON, with its address in `Location` when it was created."""
        bundle = self.build_bundle(obj=obj, request=request)  # type: ignore[attr-defined]
        bundle = self.full_dehydrate(bundle)  # type: ignore[attr-defined]
        response: HttpResponse = self.create_response(request, bundle)  # type: ignore[attr-defined]
        response.status_code = status
        if status == 201:
            response["Location"] = self.get_resource_uri(obj)  # type: ignore[attr-defined]
        return response


class EngineModelResource(_EngineBehaviour, ModelResource):
    """A resource over a model: reads by tastypie, writes by verbs of the domain."""


class EngineResource(_EngineBehaviour, Resource):
    """A resource that is no model, such as an operation or a status."""


def principal_of_request(request: HttpRequest) -> Principal:
    """Who makes this request."""
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal
