"""Build logs, from the archive to the data store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ci_utils.archive.port import Archives, Build
from ci_utils.data_store.port import DataStore
from ci_utils.errors import NotFound


def keep_logs(
    builds: Sequence[Build], *, archives: Archives, archive: str, store: DataStore
) -> dict[str, Any]:
    """Copy every build's log; the fields `logs` and `builds` of the request's result.

    A build that never began has no log; its `log` is None.
    """
    outcomes = [
        {
            "source": build.source,
            "version": build.version,
            "architecture": build.architecture,
            "state": build.state.value,
            "log": _keep(build, archives, archive, store),
        }
        for build in builds
    ]
    return {"logs": [outcome["log"] for outcome in outcomes if outcome["log"]], "builds": outcomes}


def _keep(build: Build, archives: Archives, archive: str, store: DataStore) -> str | None:
    version = build.version.partition(":")[2] or build.version  # file names of Debian carry no epoch
    name = f"{build.source}_{version}_{build.architecture}.build.log"
    try:
        with archives.build_log(archive, build.id) as log:
            return store.put_file(name, log)
    except NotFound:
        return None
