"""Client of the PPA assigner. Specification: chapter "PPA Assigner"."""

from __future__ import annotations

from typing import Any

from ci_utils.clients.base import ServiceClient
from ci_utils.errors import NoFreeArchive, NotFound


class PPAAssignerClient(ServiceClient):
    """The pool of archives that tickets build in."""

    def list(self, **filters: Any) -> list[dict[str, Any]]:
        """The archives of the pool, or those that match (`state`, `ticket_id`)."""
        return [*self.pages("ppa/", **filters)]

    def populate(self) -> None:
        """Take over the archives that the owner has."""
        self.patch("ppa/", {"populate": True})

    def get_ppa(self, ticket_id: int) -> dict[str, Any]:
        """Reserve a free archive, or the one this ticket holds; `NoFreeArchive` if none is free."""
        try:
            return dict(self.post("ppa/", {"ticket_id": ticket_id}))
        except NotFound as error:
            raise NoFreeArchive(error.message) from None

    def release(self, ppa_id: int, ticket_id: int | None = None) -> None:
        """Give an archive back, if given only while this ticket holds it; it is cleaned and becomes free."""
        holder = {} if ticket_id is None else {"ticket_id": ticket_id}
        self.patch(f"ppa/{ppa_id}/", {"state": "dirty", **holder})
