"""Installs, upgrades and removes packages in a disk image, without booting it.

Specification: chapter "Image Builder" (adding the requested PPAs and packages).
apt's solver runs on the host; the image gets exactly the .debs of its answer
and installs them with its own apt and dpkg, without a network.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror
from ci_utils.commands import TAIL_BYTES
from ci_utils.compute.port import AptArchive
from ci_utils.disk_image.customise import customise, read_file
from ci_utils.disk_image.manifest import DPKG_STATUS
from ci_utils.disk_image.packages import ImageResolver, Resolution, image_resolver
from ci_utils.errors import StageFailed
from ci_utils.sandbox.limits import DEFAULT_LIMITS, LimitExceeded, Limits
from ci_utils.sandbox.sandbox import Bind
from ci_utils.shared_files import share

STAGE = "/run/uci-engine"
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "DEBIAN_PRIORITY": "critical"}
DPKG_ERROR = re.compile(r"^dpkg: error processing (?:package|archive) (\S+) \(.*\):\n (.+)$", re.MULTILINE)

#: $1 holds the names to remove, $2 those that were installed for others' sake.
SCRIPT = rf"""
set -e
remove=$(printf '%s- ' $1)
set -- "$2" $([ "$remove" = "- " ] || echo "$remove")
auto=$1; shift
[ -z "$(ls {STAGE}/debs)" ] || set -- "$@" {STAGE}/debs/*.deb
apt="-q -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null
 -o Dir::State::Lists={STAGE}/lists -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
mkdir -p {STAGE}/lists/partial
[ $# = 0 ] || apt-get $apt --yes --no-install-recommends --allow-change-held-packages --purge \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$@"
[ -z "$auto" ] || apt-mark $apt auto $auto
if [ -d {STAGE}/sources ]; then
    mkdir -p /etc/apt/keyrings /etc/apt/sources.list.d
    install -m 644 {STAGE}/sources/*.gpg /etc/apt/keyrings/
    install -m 644 {STAGE}/sources/*.list /etc/apt/sources.list.d/
fi
"""


def install(
    image: Path,
    mirror: Mirror,
    *,
    archives: Sequence[AptArchive] = (),
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    upgrade_installed: bool = True,
    lasting_source: AptArchive | None = None,
    status: bytes | None = None,
    limits: Limits = DEFAULT_LIMITS,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Change the packages of `image`, a qcow2 overlay in a directory that is closed to other users.

    `add` is installed from the mirror and `archives` with what it depends on;
    recommended packages are not installed, as is usual for images. `remove` is
    purged; what was installed only for its sake stays. `upgrade_installed`
    also upgrades every installed package of which `archives` have a higher
    version. `lasting_source` becomes an apt source of the image
    (`/etc/apt/sources.list.d/uci-engine.list`); nothing else stays behind. `status`
    is the image's dpkg status, where that is known already.

    Raises `StageFailed` with a sentence that names the package, `InvalidRequest`
    for a name that is none, `Unavailable`, `TimedOut`, `Cancelled`. After an
    error the image is of no use.
    """
    mirror.refresh()
    with tempfile.TemporaryDirectory(prefix=".install-", dir=image.parent) as scratch:
        status = read_file(image, DPKG_STATUS) if status is None else status
        with image_resolver(mirror, status=status, archives=archives) as apt:
            upgrades = [u for u in apt.upgradable() if u not in remove] if upgrade_installed else []
            resolution = _resolve(apt, [*add, *upgrades], remove)
            stage = _stage(Path(scratch), resolution, lasting_source)
        automatic = [p.name for p in resolution.install if p.name not in {*add, *upgrades}]
        try:
            failed = customise(
                image,
                ["sh", "-c", SCRIPT, "sh", " ".join(resolution.remove), " ".join(automatic)],
                binds=[Bind(path, f"{STAGE}/{path.name}") for path in stage],
                env=ENVIRONMENT,
                limits=limits,
                log=log,
                timeout=timeout,
                cancelled=cancelled,
            )
        except LimitExceeded as error:
            raise StageFailed(f"installing the packages in the image was ended: {error.message}") from None
    if failed:
        raise StageFailed(_reason(log, [*add, *upgrades]))


def _resolve(apt: ImageResolver, wanted: Sequence[str], remove: Sequence[str]) -> Resolution:
    try:
        return apt.install(wanted, remove=remove)
    except StageFailed as error:
        names = [*wanted, *remove]
        name = next((n for n in names if n in error.message), ", ".join(names))
        raise StageFailed(f"{name} cannot be installed in the image: {error.message}") from None


def _stage(scratch: Path, resolution: Resolution, lasting_source: AptArchive | None) -> list[Path]:
    """The directories that the image sees while packages are installed."""
    debs = scratch / "debs"
    debs.mkdir()
    for package in resolution.install:
        share(package.deb, debs / package.deb.name)
    if lasting_source is None:
        return [debs]
    sources = scratch / "sources"
    sources.mkdir()
    kind, *rest = lasting_source.source_line.split()
    entry = f"{kind} [signed-by=/etc/apt/keyrings/uci-engine.gpg] {' '.join(rest)}\n"
    (sources / "uci-engine.list").write_text(entry)
    (sources / "uci-engine.gpg").write_bytes(lasting_source.key)
    return [debs, sources]


def _reason(log: BinaryIO, names: Sequence[str]) -> str:
    """Why dpkg failed, from the end of the log."""
    with open(log.fileno(), "rb", closefd=False) as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 16 * TAIL_BYTES))
        found = DPKG_ERROR.search(file.read().decode(errors="replace"))
    if not found:
        return f"{', '.join(names) or 'the packages'} cannot be installed in the image; its log says why"
    package = Path(found[1]).name.split("_")[0]
    return f"{package} cannot be installed in the image: {found[2].strip()}"
