"""Sessions with an OpenStack cloud, whose tokens come from Keystone v3 and are renewed when they expire.

The only importer of keystoneauth1. The clients of the services share the
session; its errors, which come through them, leave as the engine's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from keystoneauth1 import exceptions
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session, TCPKeepAliveAdapter

from ci_utils.config import Credentials
from ci_utils.errors import ConfigurationError, Unavailable

CONNECT_SECONDS = 10
#: Silence allowed while people wait: to log in, and for what is read.
LOGIN_SECONDS = 10
READ_SECONDS = 60
#: A server that was sent a large image checks and stores it before it answers.
CHANGE_SECONDS = 600

#: Too many requests, and a gateway whose server is slow: both pass.
PASSING = (429, 504)

#: Without these nobody can log in.
REQUIRED = ("auth_url", "username", "password", "project_name")


def open_session(credentials: Credentials) -> Session:
    """A session of this user; `ConfigurationError` names a setting that is missing. Nothing is sent yet."""
    for name in REQUIRED:
        if not getattr(credentials, name):
            raise ConfigurationError(f"{credentials.prefix}{name.upper()} is not set; OpenStack needs it")
    transport = requests.Session()
    for scheme in ("http://", "https://"):
        transport.mount(scheme, _BoundedAdapter())
    password = Password(
        auth_url=credentials.auth_url,
        username=credentials.username,
        password=credentials.password,
        project_name=credentials.project_name,
        user_domain_name=credentials.user_domain_name,
        project_domain_name=credentials.project_domain_name,
    )
    return Session(auth=password, session=transport)


@contextmanager
def translated(credentials: Credentials, service: str) -> Iterator[None]:
    """Raise what goes wrong on the way to `service` (such as "Glance") as errors that name the setting."""
    prefix = credentials.prefix
    try:
        yield
    except exceptions.Unauthorized as error:
        raise ConfigurationError(
            f"{prefix}USERNAME and {prefix}PASSWORD: Keystone does not accept this user for the "
            f"project {credentials.project_name} (see {prefix}PROJECT_NAME and the domains)"
        ) from error
    except (exceptions.CatalogException, exceptions.EndpointNotFound) as error:
        where = f"the region {credentials.region_name}" if credentials.region_name else "any region"
        raise ConfigurationError(
            f"{prefix}REGION_NAME: Keystone knows no {service} in {where} of this cloud"
        ) from error
    except (exceptions.DiscoveryFailure, exceptions.InvalidResponse, exceptions.NotFound) as error:
        raise ConfigurationError(
            f"{prefix}AUTH_URL: no Keystone v3 answers at {credentials.auth_url}"
        ) from error
    except (exceptions.ConnectionError, exceptions.HttpServerError, requests.RequestException) as error:
        raise Unavailable(
            f"{service} of {prefix}AUTH_URL ({credentials.auth_url}) does not answer"
        ) from error
    except exceptions.ClientException as error:
        raise Unavailable(
            f"{service} of {prefix}AUTH_URL ({credentials.auth_url}) gave an answer that is none"
        ) from error


class _BoundedAdapter(TCPKeepAliveAdapter):
    """Waits as long for an answer as the request can take, and not long for a server that is not there."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = (CONNECT_SECONDS, _silence_allowed(request))
        response = super().send(request, *args, **options)
        if response.status_code in PASSING:
            # The clients do not tell these from a refusal.
            response.status_code = requests.codes.service_unavailable
        return response


def _silence_allowed(request: requests.PreparedRequest) -> int:
    if request.path_url.endswith("/auth/tokens"):
        return LOGIN_SECONDS
    return READ_SECONDS if request.method in ("GET", "HEAD") else CHANGE_SECONDS
