"""Build a request's sources in its archive.

Specification: chapter "Branch/Source Builder", the four kinds of message and
"Worker Design".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    checksums: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> BuildRequest:
        return cls(
            ticket_id=int(payload["ticket_id"]),
            source_packages=payload["source_packages"],
            ppa=payload["ppa"],
            private=bool(payload.get("private")),
            checksums=payload.get("checksums", {}),
        )


def build_sources(
    request: BuildRequest,
    *,
    archives: Archives,
    data_stores: DataStores,
    progress: ProgressPublisher,
    directory: Path,
    stopping: Callable[[], bool],
) -> dict[str, Any]:
    """Build, and return {"logs": [URL], "builds": [{source, version, architecture, state, log}]}.

    `directory` is for the downloads. Once `stopping` is true it gives up with
    `Cancelled` and hands nothing in any more. Builds that have begun go on until
    somebody follows them again, or until the archive is cleaned: it may be
    another ticket's by now, so they are not stopped here. Raises `StageFailed`,
    with the same result, for an upload that is refused and for a build that fails.
    """
    progress.waiting(f"fetching the source packages for {request.ppa}")
    with fetched_uploads(
        request.source_packages, request.checksums, data_stores=data_stores, directory=directory
    ) as uploads:
        _hand_in(uploads, request.ppa, archives, stopping)
    builds = BuildFollower(request.ppa, uploads, archives, progress, stopping).follow()
    store = data_stores.open(f"ticket.{request.ticket_id}", "logs", public=not request.private)
    result = keep_logs(builds, archives=archives, archive=request.ppa, store=store)
    failed = [build for build in builds if build.state is not BuildState.BUILT]
    if failed:
        raise StageFailed(_failure(failed), result=result)
    return result


def _hand_in(uploads: Sequence[Upload], ppa: str, archives: Archives, stopping: Callable[[], bool]) -> None:
    try:
        for upload in uploads:
            if stopping():
                raise Cancelled(f"the upload to {ppa} was cancelled")
            archives.upload(ppa, upload.changes)
    except UploadRejected as error:
        archives.cancel_builds(ppa)
        raise StageFailed(error.message) from None
    except NotFound as error:
        raise StageFailed(error.message) from None


def _failure(failed: Sequence[Build]) -> str:
    first = failed[0]
    name, outcome = f"{first.source} {first.version}", OUTCOMES[first.state]
    # Archives give a whole sentence; what it begins with is said here with the architecture.
    why = first.reason.rstrip(".").removeprefix(f"{name} {outcome}: ")
    reason = f": {why}" if why else ""
    others = f" (and {len(failed) - 1} more did not build)" if len(failed) > 1 else ""
    return f"{name} {outcome} on {first.architecture}{reason}{others}"
