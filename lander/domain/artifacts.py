"""What the stages leave behind: files in the data store, linked at the ticket.

Specification: chapter "Lander" ("archives the Jenkins console logs and the
archived results of each job to the data store") and "Create artifact".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from ci_utils.data_store.port import DataStore
from lander.domain.console import console_text
from lander.domain.reporting import TicketReporter
from lander.models import ChildJob

BUILT = "Successfully built"

#: Fields of results that hold URLs (one or a list), and the type that those files have at the ticket.
TYPES = {
    "url_list": "IMAGE",
    "manifest": "LOGS",
    "manifest_diff": "LOGS",
    "logs": "LOGS",
    "test_result_urls": "RESULTS",
    "artifacts": "RESULTS",
}


def link_artifacts(
    result: Mapping[str, Any], *, subtickets: Sequence[Mapping[str, Any]], reporter: TicketReporter
) -> None:
    """Attach the files of a stage's result to the ticket; a build's log to the subticket of its source."""
    by_source = {subticket["source"]: subticket["id"] for subticket in subtickets}
    linked = set()
    files = []
    for build in result.get("builds", []):
        subticket_id = by_source.get(build["source"])
        if build["log"] and subticket_id:
            linked.add(build["log"])
            reporter.subticket_artifact(subticket_id, _file(build["log"], "LOGS"))
    for url, kind in _urls(result):
        if url not in linked:
            linked.add(url)
            name = result.get("image_name") if kind == "IMAGE" else None
            files.append(_file(url, kind, name))
    reporter.artifacts(files)


def archive_consoles(
    children: Iterable[ChildJob], *, store: DataStore, reporter: TicketReporter
) -> dict[str, str]:
    """Keep console log and result of every stage that ran; the logs' URLs by stage."""
    ran = [child for child in children if child.started_at]
    files = {}
    for child in ran:
        files[f"lander-{child.stage}.log"] = console_text([child]).encode()
        files[f"lander-{child.stage}.json"] = json.dumps(_outcome(child), indent=2).encode()
    urls = store.put_files(files)
    reporter.artifacts([_file(url, "LOGS") for url in urls])
    return {child.stage: url for child, url in zip(ran, urls[::2], strict=True)}


def failure_log(result: Mapping[str, Any]) -> str:
    """The log that shows why a stage failed: that of the build that did, the one that is named, or any."""
    of_builds = [build["log"] for build in result.get("builds", []) if build["state"] != BUILT]
    candidates = [*of_builds, result.get("failure_log"), *result.get("logs", [])]
    return next((str(url) for url in candidates if url), "")


def sources_with_verdict(result: Mapping[str, Any], verdict: str) -> list[str]:
    """The sources of a test result that were judged so: passed, failed, `no tests`."""
    found = result.get("results", {}).get("sources", {})
    return sorted(source for source, judged in found.items() if judged["verdict"] == verdict)


def _outcome(child: ChildJob) -> dict[str, Any]:
    return {
        "stage": child.stage,
        "state": child.state,
        "message": child.message,
        "parameters": child.parameters,
        "result": child.result,
    }


def _urls(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for field, kind in TYPES.items():
        value = result.get(field) or []
        for url in [value] if isinstance(value, str) else value:
            yield url, kind


def _file(url: str, kind: str, name: str | None = None) -> dict[str, str]:
    """A file as the ticket system is told of it."""
    return {"name": name or _name(url), "reference": url, "type": kind}


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])
