"""The settings of uploads by `dput`."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import size, whole_number


def _space(value: str) -> int:
    return 0 if value == "0" else size(value)


@dataclass(frozen=True, kw_only=True)
class UploadQueueConfig(Settings):
    """Uploads by dput."""

    space: int = setting(
        "UCI_UPLOAD_SPACE",
        _space,
        "10G",
        "Disk that uploads by dput may fill before they are tickets, for example 20G; 0 takes none.",
    )
    hours: int = setting(
        "UCI_UPLOAD_HOURS",
        whole_number,
        "24",
        "Hours after which the files of an upload by dput that is not complete are removed.",
    )
