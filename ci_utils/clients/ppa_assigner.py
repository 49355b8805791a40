"""Client of the PPA assigner. Specification: chapter "PPA Assigner"."""

from __future__ import annotations

from typing import Any

from ci_utils.clients.base import ServiceClient


class PPAAssignerClient(ServiceClient):
    """The pool of archives that tickets build in."""

    def list(self) -> list[dict[str, Any]]:
        """All archives of the pool with their state."""
        return [*self.pages("ppa/")]

    def populate(self) -> None:
        """Take over the archives that the owner has."""
        self.patch("ppa/", {"populate": True})

    def get_ppa(self, ticket_id: int) -> dict[str, Any]:
        """Reserve a free archive, or the one this ticket holds; `NotFound` if none is free."""
        return dict(self.post("ppa/", {"ticket_id": ticket_id}))

    def release(self, ppa_id: int) -> None:
        """Give an archive back; it is cleaned and becomes free."""
        self.patch(f"ppa/{ppa_id}/", {"state": "dirty"})
