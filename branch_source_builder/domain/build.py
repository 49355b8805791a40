"""Build a request's sources in its archive.

Specification: chapter "Branch/Source Builder", the four kinds of message and
"Worker Design".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branch_source_builder.domain.following import BuildFollower
from branch_source_builder.domain.logs import keep_logs
from branch_source_builder.domain.uploads import Upload, fetched_uploads
from ci_utils.archive.port import Archives, Build, BuildState
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Cancelled, NotFound, StageFailed, UploadRejected
from ci_utils.work_queue.progress import ProgressPublisher

OUTCOMES = {
    BuildState.FAILED: "failed to build",
    BuildState.DEPENDENCY_WAIT: "cannot be built",
    BuildState.CANCELLED: "was cancelled while it was built",
}


@dataclass(frozen=True)
class BuildRequest:
    """The parameters of `build_source` that matter to the build."""

    ticket_id: int
    source_packages: Sequence[str]
    ppa: str
    private: bool

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> BuildRequest:
        return cls(
            ticket_id=int(payload["ticket_id"]),
            source_packages=payload["source_packages"],
            ppa=payload["ppa"],
            private=bool(payload.get("private")),
        )


def build_sources(
    request: BuildRequest,
    *,
    archives: Archives,
    data_stores: DataStores,
    progress: ProgressPublisher,
    directory: Path,
    stopping: Callable[[], bool],
    withdrawn: Callable[[], bool],
) -> dict[str, Any]:
    """Build, and return {"logs": [URL], "builds": [{source, version, architecture, state, log}]}.

    `directory` is for the downloads. Once `stopping` is true it gives up with
    `Cancelled`; the builds are stopped too if the request was `withdrawn`, and
    otherwise go on until somebody follows them again. Raises `StageFailed`, with
    the same result, for an upload that is refused and for a build that fails.
    """
    progress.waiting(f"fetching the source packages for {request.ppa}")
    with fetched_uploads(request.source_packages, data_stores=data_stores, directory=directory) as uploads:
        _hand_in(uploads, request.ppa, archives)
    try:
        builds = BuildFollower(request.ppa, uploads, archives, progress, stopping).follow()
    except Cancelled:
        if withdrawn():
            archives.cancel_builds(request.ppa)
        raise
    store = data_stores.open(f"ticket.{request.ticket_id}", "logs", public=not request.private)
    result = keep_logs(builds, archives=archives, archive=request.ppa, store=store)
    failed = [build for build in builds if build.state is not BuildState.BUILT]
    if failed:
        raise StageFailed(_failure(failed), result=result)
    return result


def _hand_in(uploads: Sequence[Upload], ppa: str, archives: Archives) -> None:
    try:
        for upload in uploads:
            archives.upload(ppa, upload.changes)
    except UploadRejected as error:
        archives.cancel_builds(ppa)
        raise StageFailed(error.message) from None
    except NotFound as error:
        raise StageFailed(error.message) from None


def _failure(failed: Sequence[Build]) -> str:
    first = failed[0]
    reason = f": {first.reason.rstrip('.')}" if first.reason else ""
    others = f" (and {len(failed) - 1} more did not build)" if len(failed) > 1 else ""
    outcome = OUTCOMES[first.state]
    return f"{first.source} {first.version} {outcome} on {first.architecture}{reason}{others}"
