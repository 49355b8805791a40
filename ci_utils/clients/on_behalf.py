"""Asks a service on behalf of a person, with the services' token.

Whoever talks to people (the web pages) says with every request who it is that
asks, and the service answers as it would answer that person's own token: what
that person may not see is not there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar
from urllib.parse import quote

import requests
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from ci_utils.clients.base import ServiceClient

#: The person's name, percent-encoded (empty: nobody), and what that person may do.
PRINCIPAL_HEADER = "UCI-Principal"
SCOPES_HEADER = "UCI-Scopes"

Client = TypeVar("Client", bound=ServiceClient)


def on_behalf_of(client: Client, name: str, scopes: Collection[str]) -> Client:
    """The same client, which from now on asks for this person; an empty name is nobody."""
    client._session.auth = _OnBehalf(client.base_url, name, scopes)
    return client


def carried_by(client: Client, adapter: BaseAdapter, base_url: str) -> Client:
    """The same client, whose requests to addresses below `base_url` go through `adapter`."""
    client._session.mount(f"{base_url}/", adapter)
    return client


class _OnBehalf(AuthBase):
    """Adds the headers to requests to the service itself; another server never sees them."""

    def __init__(self, base_url: str, name: str, scopes: Collection[str]) -> None:
        self._own = f"{base_url}/"
        self._headers = {PRINCIPAL_HEADER: quote(name), SCOPES_HEADER: ",".join(sorted(scopes))}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if (request.url or "").startswith(self._own):
            request.headers.update(self._headers)
        return request
