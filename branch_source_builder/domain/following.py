"""Follow builds in an archive until all have ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from branch_source_builder.domain.uploads import Upload
from ci_utils.archive.port import Archives, Build, BuildState
from ci_utils.errors import Cancelled, StageFailed, Unavailable
from ci_utils.work_queue.progress import ProgressPublisher

log = logging.getLogger(__name__)

#: Looks at the builds come quickly at first, for a build that takes a second, then less often.
FIRST_POLL_SECONDS, LAST_POLL_SECONDS, POLL_GROWTH = 0.1, 1.0, 1.3
#: How long an archive may be away, or take to list a build of an upload that it took.
PATIENCE_SECONDS = 1800


@dataclass
class BuildFollower:
    """Looks at the builds of `uploads` in the archive `ppa` again and again and says what goes on."""

    ppa: str
    uploads: Sequence[Upload]
    archives: Archives
    progress: ProgressPublisher
    stopping: Callable[[], bool]

    def follow(self) -> list[Build]:
        """All builds, ended; `Cancelled` once `stopping` is true, `StageFailed` if none begins."""
        self.progress.status(f"accepted by {self.ppa}: {_names(self.uploads)}")
        pause, told = FIRST_POLL_SECONDS, ""
        listed_at = time.monotonic()
        while True:
            builds = self._builds()
            missing = self._without_a_build(builds)
            if not missing:
                listed_at = time.monotonic()
                if all(build.state.ended for build in builds):
                    return builds
            elif time.monotonic() - listed_at > PATIENCE_SECONDS:
                raise StageFailed(
                    f"{self.ppa} does not say that it builds {_names(missing)}; if it is in Launchpad, "
                    "a mail to whoever signed the upload says why it was refused"
                )
            if self.stopping():
                raise Cancelled(f"the builds in {self.ppa} were cancelled")
            told = self._tell(builds, told)
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, LAST_POLL_SECONDS)

    def _builds(self) -> list[Build]:
        wanted = {(upload.source, upload.version) for upload in self.uploads}
        try:
            builds = self.archives.builds(self.ppa)
        except Unavailable as error:
            log.warning("%s: %s; looking again", self.ppa, error)
            return []
        return [build for build in builds if (build.source, build.version) in wanted]

    def _without_a_build(self, builds: Sequence[Build]) -> list[Upload]:
        begun = {(build.source, build.version) for build in builds}
        return [upload for upload in self.uploads if (upload.source, upload.version) not in begun]

    def _tell(self, builds: Sequence[Build], told: str) -> str:
        """Report what goes on unless it is what was `told` last; returns what is told now."""
        message = _sentence(builds)
        if message != told:
            ended = sum(build.state.ended for build in builds)
            self.progress.status(message, current=ended, total=len(builds))
        return message


def _sentence(builds: Sequence[Build]) -> str:
    running = [_name(build) for build in builds if build.state in (BuildState.BUILDING, BuildState.UPLOADING)]
    if running:
        return f"building {', '.join(running)}"
    waiting = [_name(build) for build in builds if not build.state.ended]
    return f"waiting for a builder: {', '.join(waiting)}" if waiting else "waiting for the archive's builds"


def _name(build: Build) -> str:
    return f"{build.source} {build.version} on {build.architecture}"


def _names(uploads: Sequence[Upload]) -> str:
    return ", ".join(f"{upload.source} {upload.version}" for upload in uploads)
