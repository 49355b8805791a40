"""Base classes of all REST resources.

Errors become JSON in one place; writes are read by schema and handed to a verb
of the service's domain; reads of models are tastypie's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldError, ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from tastypie.authorization import ReadOnlyAuthorization
from tastypie.exceptions import ImmediateHttpResponse, TastypieError
from tastypie.resources import ModelResource, Resource
from tastypie.serializers import Serializer
from tastypie.utils import trailing_slash

from ci_utils.api.authentication import TokenAuthentication
from ci_utils.api.paging import BoundedPaginator
from ci_utils.api.schema import read_json
from ci_utils.api.tokens import Principal, Scope
from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.durability import settle
from ci_utils.errors import CIError, InvalidRequest, NotFound, TooManyRequests, Unavailable
from ci_utils.work_queue.requests import DATABASE_AWAY

log = logging.getLogger(__name__)

READS = ("GET", "HEAD", "OPTIONS")


def error_response(error: CIError) -> JsonResponse:
    """The JSON form of an error: {"error": sentence}."""
    response = JsonResponse({"error": error.message}, status=error.http_status)
    if error.http_status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests) and error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response


def error_to_tell(error: Exception, *, path: str, noun: str) -> CIError:
    """What whoever asked for `path` hears of an error; `noun` is what one object is called.

    What they cannot mend is logged. Raises an error again that nobody foresaw.
    """
    if isinstance(error, CIError):
        if error.http_status == 500:  # nothing that whoever asked can mend
            log.error("%s", path, exc_info=error)
        return error
    if isinstance(error, (*DATABASE_AWAY, OSError)):
        log.warning("%s: %s", path, error)
        return _away(error)
    if isinstance(error, FieldError):
        return InvalidRequest("order_by: name a field of this resource")
    if isinstance(error, (ObjectDoesNotExist, OverflowError)):
        return NotFound(f"there is no {noun} here")
    if isinstance(error, TastypieError):
        return InvalidRequest(str(error) or "the request is not valid")
    raise error


@dataclass(frozen=True)
class Route:
    """An address of a resource, below its name: `{pk}` in `tail` is a number.

    The methods are those of Meta's `KIND_allowed_methods`; the view is `dispatch_KIND`.
    """

    tail: str
    kind: str
    name: str = ""

    @property
    def pattern(self) -> str:
        """The tail as a regular expression."""
        return self.tail.replace("{pk}", "(?P<pk>[0-9]{1,18})")


class EngineSerializer(Serializer):
    """JSON whose times say that they are in UTC."""

    def format_datetime(self, data: datetime) -> str:
        return data.isoformat()


class EngineMeta:
    """What every resource's Meta inherits.

    For the description of the API: `answers` has the JSON Schema of each
    status that a method such as `post_list` answers with, where that is not
    the object itself; `added_fields` those of what `dehydrate` adds,
    `optional_fields` of what it adds sometimes; `query_fields` those of what a
    list takes besides `filtering`; `header_fields` those of the headers that a
    method such as `post_list` takes; and `part_fields` those of the query that
    a method such as `get_console` takes, to answer with a part.
    """

    serializer = EngineSerializer(formats=["json"])
    authentication = TokenAuthentication()
    authorization = ReadOnlyAuthorization()
    max_limit = 1000
    paginator_class = BoundedPaginator
    schema_allowed_methods = ["get"]
    include_resource_uri = True
    answers: Mapping[str, Mapping[int, Mapping[str, Any]]] = {}
    added_fields: Mapping[str, Mapping[str, Any]] = {}
    optional_fields: Mapping[str, Mapping[str, Any]] = {}
    query_fields: Mapping[str, Mapping[str, Any]] = {}
    header_fields: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    part_fields: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    #: Whether what a service writes is on the disk before the answer, as everybody else's is.
    settles_services = False


class _EngineBehaviour:
    """Errors as JSON, and writes by schema. Subclasses define `create` and `change` as they need.

    Meta: `create_schema` (POST to the list), `change_schema` (PATCH of one).
    """

    _meta: Any

    def dispatch(self, request_type: str, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        # tastypie takes the method from this header, past its own list of allowed methods.
        request.META.pop("HTTP_X_HTTP_METHOD_OVERRIDE", None)
        try:
            _refuse_nul(request)
            response: HttpResponse = super().dispatch(request_type, request, **kwargs)  # type: ignore[misc]
            if response.status_code == 404 and not response.content:
                raise NotFound(f"there is no {self._noun} {str(kwargs.get('pk', ''))[:20]}".rstrip())
            if request.method not in READS and self._promises(request):
                settle()
            return response
        except ImmediateHttpResponse:
            raise
        except Exception as error:
            told = error_to_tell(error, path=request.path, noun=self._noun)
            raise ImmediateHttpResponse(error_response(told)) from None

    def _promises(self, request: HttpRequest) -> bool:
        """Whether an answer is a promise that no loss of power breaks.

        Between services it need not be one: who asked then forgets with who answered, and asks again.
        """
        by_service = principal_of_request(request).has(Scope.SERVICE)
        return self._meta.settles_services or not by_service

    @property
    def _noun(self) -> str:
        """What one object is called: several resources can show the same thing."""
        model = getattr(self._meta.object_class, "_meta", None)
        return str(model.verbose_name if model else self._meta.resource_name)

    def routes(self) -> list[Route]:
        """Everything that the resource answers, the special before the common."""
        return [Route("", "list"), Route("/schema", "schema", "api_get_schema"), Route("/{pk}", "detail")]

    def base_urls(self) -> list[URLPattern]:
        # tastypie's own list has views that answer without going through `dispatch`.
        return [
            re_path(
                rf"^(?P<resource_name>{self._meta.resource_name}){route.pattern}{trailing_slash()}$",
                self.wrap_view(f"dispatch_{route.kind}"),  # type: ignore[attr-defined]
                name=route.name or f"api_dispatch_{route.kind}",
            )
            for route in self.routes()
        ]

    def get_resource_uri(self, *args: Any, **kwargs: Any) -> str:
        """The address of an object or of the list, with the slash that the specification writes."""
        uri: str = super().get_resource_uri(*args, **kwargs)  # type: ignore[misc]
        return f"{uri.removesuffix('/')}/" if uri else uri

    def dispatch_schema(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The fields of the resource, and the JSON Schemas of what it takes."""
        return self.dispatch("schema", request, **kwargs)

    def get_schema(self, request: HttpRequest, **_: Any) -> HttpResponse:
        taken = {
            name: getattr(self._meta, name)
            for name in ("create_schema", "change_schema")
            if hasattr(self._meta, name)
        }
        response: HttpResponse = self.create_response(request, {**self.build_schema(), **taken})  # type: ignore[attr-defined]
        return response

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
            response["Location"] = self.get_resource_uri(obj)
        return response


class EngineModelResource(_EngineBehaviour, ModelResource):
    """A resource over a model: reads by tastypie, writes by verbs of the domain."""

    def filter_value_to_python(
        self, value: str, field_name: str, filters: Any, filter_expr: str, filter_type: str
    ) -> Any:
        """What a filter's text stands for. tastypie takes `true` and `none` for more than text everywhere."""
        if filter_type == "isnull" or self.fields[field_name].dehydrated_type == "boolean":
            return _truth(filter_expr, value)
        if filter_type == "in":
            return [part for values in filters.getlist(filter_expr) for part in values.split(",")]
        return value


class EngineResource(_EngineBehaviour, Resource):
    """A resource that is no model, such as an operation or a status."""


def principal_of_request(request: HttpRequest) -> Principal:
    """Who makes this request."""
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal


def numbers_of(status: Mapping[str, Any]) -> dict[str, Any]:
    """What everybody may know of a service's status: lists name tickets, which may be private."""
    return {name: value for name, value in status.items() if not isinstance(value, list)}


def _away(error: Exception) -> Unavailable:
    """What the caller hears of a database that does not answer, or of a full disk; raises any other error."""
    if says_full(error):
        return Unavailable(DISK_FULL)
    if isinstance(error, OSError):
        raise error
    return Unavailable("the database does not answer now; try again")


def _truth(name: str, value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise InvalidRequest(f"{name}: it must be true or false")
    return value.lower() == "true"


def _refuse_nul(request: HttpRequest) -> None:
    if any("\0" in value for values in request.GET.lists() for value in values[1]):
        raise InvalidRequest("the query has a NUL character, which no field may hold")
