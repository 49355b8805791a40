"""What the web service answers to each question, whatever it comes by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from tests.harness.launchpad.acceptance import Rejected
from tests.harness.launchpad.model import Launchpad, Ppa, Publication
from tests.harness.launchpad.oauth import Unauthorized
from tests.harness.launchpad.representations import Json, Representations

T = TypeVar("T")
_ARCHIVE = re.compile(r"~([^/]+)/\+archive/ubuntu/([^/]+)(?:/\+(sourcepub|binarypub|build)/(\d+))?")


class NoSuchThing(Exception):
    """Status 404."""


@dataclass(frozen=True)
class Question:
    """A request for `path` below `root` by `user`, who may change things if `member`."""

    launchpad: Launchpad
    show: Representations
    root: str
    path: str
    form: dict[str, str]
    user: str
    writing: bool
    member: bool
    page_size: int

    @property
    def operation(self) -> str:
        """The named operation, empty for a plain entry."""
        return self.form.get("ws.op", "")

    def answer(self) -> Any:
        """What the operation returns, or the entry at the path."""
        show, launchpad = self.show, self.launchpad
        if not self.path:
            return show.service()
        if self.path == "people/+me":
            return show.person(self.user, team=False)
        if self.path == f"~{launchpad.owner}":
            return show.person(launchpad.owner, team=True)
        if self.path == f"~{launchpad.owner}/ppas":
            page = self._page([show.archive(ppa) for ppa in launchpad.ppas.values()])
            return page | {"resource_type_link": f"{self.root}#archive-page-resource"}
        match = _ARCHIVE.fullmatch(self.path)
        if match is None or match[1] != launchpad.owner:
            raise NoSuchThing
        ppa = launchpad.ppas[match[2]]
        if self.writing and not self.member:
            raise Unauthorized(f"(<Archive object>, '{self.operation}', 'launchpad.Edit')")
        if match[3] is None:
            return self._archive(ppa)
        return self._part(ppa, match[3], int(match[4]))

    def _archive(self, ppa: Ppa) -> Any:
        show, launchpad, operation = self.show, self.launchpad, self.operation
        if operation == "getPublishedSources":
            return self._page([show.source(ppa, p) for p in _chosen(ppa.sources, self.form, "source_name")])
        if operation == "getPublishedBinaries":
            return self._page([show.binary(ppa, p) for p in _chosen(ppa.binaries, self.form, "binary_name")])
        if operation == "getSigningKeyData":
            return launchpad.farm.key(ppa.reference) or None
        if operation == "syncSources":
            given = {name: json.loads(value) for name, value in self.form.items() if name != "ws.op"}
            origin = launchpad.ppas[given["from_archive"].rpartition("/")[2]]
            if (given["to_pocket"], given["to_series"]) != ("Release", launchpad.series):
                raise Rejected(f"No such distribution series: '{given['to_series']}'.")
            assert given["include_binaries"] is True
            launchpad.copy(origin, ppa, given["source_names"])
            return None
        return _entry_only(operation, show.archive(ppa))

    def _part(self, ppa: Ppa, kind: str, number: int) -> Any:
        show, launchpad, operation = self.show, self.launchpad, self.operation
        if kind == "build":
            build = by_id([build for source in ppa.sources for build in source.builds], number)
            if operation == "cancel":
                return launchpad.cancel(ppa, build)
            if operation == "retry":
                return launchpad.retry(ppa, build)
            return _entry_only(operation, show.build(ppa, build))
        publication = by_id(ppa.sources if kind == "sourcepub" else ppa.binaries, number)
        if operation == "requestDeletion":
            return launchpad.delete(ppa, publication)
        if kind == "binarypub":
            return _entry_only(operation, show.binary(ppa, publication))
        if operation == "getBuilds":
            return self._page([show.build(ppa, build) for build in publication.builds])
        if operation == "sourceFileUrls":
            return show.file_urls(publication)
        return _entry_only(operation, show.source(ppa, publication))

    def _page(self, entries: list[Json]) -> Json:
        start = int(self.form.get("ws.start", 0))
        end = start + int(self.form.get("ws.size", self.page_size))
        page: Json = {"start": start, "total_size": len(entries), "entries": entries[start:end]}
        if end < len(entries):
            query = urlencode({**self.form, "ws.start": end, "ws.size": end - start})
            page["next_collection_link"] = f"{self.root}{self.path}?{query}"
        return page


def _entry_only(operation: str, entry: Json) -> Json:
    if operation:
        raise Rejected(f"No such operation: {operation}")
    return entry


def by_id(things: Sequence[T], number: int) -> T:
    for thing in things:
        if getattr(thing, "id") == number:  # noqa: B009 -- builds and publications have it
            return thing
    raise NoSuchThing


def _chosen(publications: Sequence[Publication], form: dict[str, str], name_filter: str) -> list[Publication]:
    tests: list[Callable[[Publication], bool]] = []
    if status := form.get("status"):
        tests.append(lambda p: p.status == status)
    if wanted := json.loads(form.get(name_filter, '""')):
        exact = json.loads(form.get("exact_match", "false"))
        tests.append(lambda p: p.name == wanted if exact else wanted in p.name)
    if version := json.loads(form.get("version", '""')):
        tests.append(lambda p: p.version == version)
    found = [p for p in publications if all(test(p) for test in tests)]
    newest_first = json.loads(form.get("order_by_date", "false"))
    return sorted(found, key=lambda p: p.id, reverse=True) if newest_first else found
