"""Servers and key pairs of the engine's project in Nova: the only importer of python-novaclient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from novaclient import client, exceptions

from ci_utils import keystone
from ci_utils.config import Credentials
from ci_utils.errors import ConfigurationError, Forbidden, InvalidRequest, NotFound, Unavailable
from ci_utils.retries import retried

#: The oldest that lets Nova choose the network.
MICROVERSION = "2.37"
#: What Nova says when no host can take a machine of this flavor now.
NO_HOST = "No valid host"
SENTENCE_LENGTH = 300


class NoRoom(Unavailable):
    """The quota of the project is used up, or no host has room for the machine."""


@dataclass(frozen=True)
class Server:
    """A server as Nova describes it; `fault` says what went wrong when `status` is ERROR."""

    id: str
    name: str
    status: str
    fault: str
    metadata: Mapping[str, str]
    addresses: Sequence[str]


class NovaCloud:
    """Nova's API as this project's user. Its errors are the engine's own; what can pass is tried again."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.region = credentials.region_name
        session = keystone.open_session(credentials)
        self._nova = client.Client(MICROVERSION, session=session, region_name=self.region or None)

    def flavors(self) -> dict[str, str]:
        """The id of each flavor by its name."""
        with self._translated():
            return {flavor.name: flavor.id for flavor in self._nova.flavors.list()}

    def create(
        self,
        name: str,
        *,
        image_id: str,
        flavor_id: str,
        network_id: str,
        key: str,
        user_data: str,
        metadata: Mapping[str, str],
    ) -> str:
        """Ask for a server; its id. Raises `NoRoom`, and is never tried again by itself."""
        nics: object = [{"net-id": network_id}] if network_id else "auto"
        with self._translated():
            server = self._nova.servers.create(
                name,
                image_id,
                flavor_id,
                key_name=key,
                nics=nics,
                userdata=user_data,
                meta=dict(metadata),
                config_drive=True,
            )
        return str(server.id)

    def get(self, server_id: str) -> Server:
        """A server; `NotFound` if there is none."""
        return retried(lambda: self._get(server_id))

    def named(self, prefix: str) -> list[Server]:
        """All servers whose name begins so."""
        return [server for server in retried(self._list) if server.name.startswith(prefix)]

    def console(self, server_id: str) -> bytes:
        """What Nova has of a server's console; nothing before it runs or when it is gone."""
        try:
            return retried(lambda: self._console(server_id))
        except (NotFound, InvalidRequest):
            return b""

    def mark(self, server_id: str, metadata: Mapping[str, str]) -> None:
        """Add metadata to a server."""
        with self._translated():
            self._nova.servers.set_meta(server_id, dict(metadata))

    def delete(self, server_id: str) -> None:
        """Have a server deleted; no error if there is none."""
        try:
            retried(lambda: self._delete(server_id))
        except NotFound:
            return

    def add_key(self, name: str, public_key: str) -> None:
        """Add a key pair of which Nova knows the public half only."""
        with self._translated():
            self._nova.keypairs.create(name, public_key)

    def remove_key(self, name: str) -> None:
        """Remove a key pair; no error if there is none."""
        try:
            retried(lambda: self._remove_key(name))
        except NotFound:
            return

    def keys(self, prefix: str) -> dict[str, str]:
        """When each key pair was made, in Nova's words, by its name."""
        with self._translated():
            names = [key.name for key in self._nova.keypairs.list() if key.name.startswith(prefix)]
            return {name: str(self._nova.keypairs.get(name).created_at) for name in names}

    def _get(self, server_id: str) -> Server:
        with self._translated():
            return _server(self._nova.servers.get(server_id))

    def _list(self) -> list[Server]:
        with self._translated():
            # -1 asks for page after page.
            return [_server(found) for found in self._nova.servers.list(limit=-1)]

    def _console(self, server_id: str) -> bytes:
        with self._translated():
            text: str = self._nova.servers.get_console_output(server_id)
        return text.encode(errors="replace")

    def _delete(self, server_id: str) -> None:
        with self._translated():
            self._nova.servers.delete(server_id)

    def _remove_key(self, name: str) -> None:
        with self._translated():
            self._nova.keypairs.delete(name)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise novaclient's errors as the engine's own."""
        prefix = self._credentials.prefix
        try:
            with keystone.translated(self._credentials, "Nova"):
                yield
        except exceptions.NotFound as error:
            raise NotFound(f"Nova does not have that: {_sentence(error)}") from error
        except exceptions.Unauthorized as error:
            raise ConfigurationError(f"{prefix}USERNAME: Nova does not let this user in") from error
        except (exceptions.Forbidden, exceptions.OverLimit) as error:
            if "uota" in str(error):
                raise NoRoom(f"the project's quota in Nova is used up: {_sentence(error)}") from error
            raise Forbidden(f"{prefix}USERNAME: Nova does not allow that: {_sentence(error)}") from error
        except exceptions.ClientException as error:
            if error.code >= 500 or error.code in (409, 429):
                raise Unavailable(f"Nova failed (HTTP {error.code})") from error
            if str(error).startswith("Network "):
                raise ConfigurationError(f"EPHEMERAL_CLOUD_NET_ID: {_sentence(error)}") from error
            raise InvalidRequest(f"Nova refuses the machine: {_sentence(error)}") from error


def _server(found: Any) -> Server:
    fault = getattr(found, "fault", {}).get("message", "")[:SENTENCE_LENGTH]
    return Server(found.id, found.name, found.status, fault, found.metadata, _addresses(found.addresses))


def _addresses(networks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Every address, the one to try first before the others: floating before fixed, IPv4 before IPv6."""
    found = [address for network in networks.values() for address in network]
    found.sort(key=lambda a: (a.get("OS-EXT-IPS:type") != "floating", a["version"]))
    return [str(address["addr"]) for address in found]


def _sentence(error: exceptions.ClientException) -> str:
    return str(error.message or type(error).__name__)[:SENTENCE_LENGTH]
