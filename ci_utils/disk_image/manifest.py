"""Which packages an image holds, read from its dpkg status without booting it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_utils.disk_image.customise import read_file
from ci_utils.disk_image.packages import installed_packages

DPKG_STATUS = "/var/lib/dpkg/status"

Manifest = Mapping[str, str]


@dataclass(frozen=True)
class ManifestDifference:
    """What changed between two images; `changed` has the old and the new version."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]

    def to_text(self) -> str:
        """One line for each package: `+ name version`, `- name version` or `~ name old -> new`."""
        lines = [("+", name, version) for name, version in self.added.items()]
        lines += [("-", name, version) for name, version in self.removed.items()]
        lines += [("~", name, f"{old} -> {new}") for name, (old, new) in self.changed.items()]
        return "".join(
            f"{sign} {name} {what}\n" for sign, name, what in sorted(lines, key=lambda line: line[1])
        )


def read_manifest(image: Path) -> Manifest:
    """The installed packages of a qcow2 image: name to version, sorted by name."""
    return parse_status(read_file(image, DPKG_STATUS).decode(errors="replace"))


def parse_status(status: str) -> Manifest:
    """The installed packages of a dpkg status; `name:architecture` where a name is there more than once.

    Raises `StageFailed` as `installed_packages` does.
    """
    installed = installed_packages(status)
    count = Counter(s["Package"] for s in installed)
    return dict(
        sorted(
            (
                s["Package"] if count[s["Package"]] == 1 else f"{s['Package']}:{s['Architecture']}",
                s["Version"],
            )
            for s in installed
        )
    )


def manifest_text(manifest: Manifest) -> str:
    """As the manifest of a cloud image: a line `name<TAB>version` for each package."""
    return "".join(f"{name}\t{version}\n" for name, version in manifest.items())


def difference(old: Manifest, new: Manifest) -> ManifestDifference:
    """What has to be said of `new` to somebody who knows `old`."""
    return ManifestDifference(
        added={name: new[name] for name in new.keys() - old.keys()},
        removed={name: old[name] for name in old.keys() - new.keys()},
        changed={name: (old[name], new[name]) for name in old.keys() & new.keys() if old[name] != new[name]},
    )
