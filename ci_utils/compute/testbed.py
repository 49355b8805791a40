"""Prepares a throw-away overlay of an image so that tests can be run on it over ssh.

Everything that is slow in an emulated machine is done here, natively: host
keys, apt's lists and caches. What the image itself holds stays as it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror
from ci_utils.compute.port import TestbedNeeds
from ci_utils.disk_image.customise import customise, read_file
from ci_utils.disk_image.manifest import DPKG_STATUS
from ci_utils.disk_image.packages import ImagePackage, ImageResolver, image_resolver
from ci_utils.errors import StageFailed, ToolFailed
from ci_utils.sandbox.limits import LimitExceeded, Limits
from ci_utils.sandbox.sandbox import Bind

STAGE = "/run/uci-engine"
#: Where the machine finds the packages that its tests ask for.
REPOSITORY = "/var/lib/uci-engine-packages"
#: The ordinary user that tests run as unless they ask for root.
ORDINARY_USER = "tester"

#: Housekeeping that an hour-old machine does not need and that would run into the tests.
MASKED = (
    "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service "
    "fstrim.timer logrotate.timer man-db.timer motd-news.timer systemd-networkd-wait-online.service "
    "update-notifier-download.timer update-notifier-motd.timer"
)

#: Makes the ordinary user, and has apt see the packages in REPOSITORY and nothing else.
FOR_TESTS = f"""
id {ORDINARY_USER} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash {ORDINARY_USER}
mkdir -p /etc/apt/uci-engine-disabled /etc/apt/sources.list.d
mv /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/uci-engine-disabled/ 2>/dev/null || true
echo 'deb [trusted=yes] file:{REPOSITORY} ./' > /etc/apt/sources.list
echo 'Acquire::Languages "none";' > /etc/apt/apt.conf.d/90uci-engine
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/uci-engine
rm -rf /var/lib/apt/lists/*
apt-get -q -o APT::Sandbox::User=root update
apt-cache gencaches
"""

SCRIPT = rf"""
set -e
install -d -m 700 /root/.ssh
cat {STAGE}/key.pub >> /root/.ssh/authorized_keys
chmod 600 /root/.ssh/authorized_keys
ssh-keygen -q -A
[ ! -d /etc/cloud ] || : > /etc/cloud/cloud-init.disabled
[ -s /etc/machine-id ] || systemd-machine-id-setup

# Any wired interface by DHCP: what cloud-init would have written for this machine.
if [ -e /lib/systemd/systemd-networkd ]; then
    network=/etc/systemd/network/05-uci-engine.network
    printf '[Match]\nName=e*\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n' > $network
    systemctl --quiet enable systemd-networkd
else
    for name in eth0 ens3 enp0s1; do printf 'allow-hotplug %s\niface %s inet dhcp\n' $name $name; done \
        > /etc/network/interfaces.d/uci-engine
fi
for unit in {MASKED}; do ln -sf /dev/null /etc/systemd/system/$unit; done

# The machine has no network.
cp -r {STAGE}/packages {REPOSITORY}
{FOR_TESTS}
"""


def prepare(
    image: Path,
    mirror: Mirror,
    needs: TestbedNeeds,
    public_key: Path,
    *,
    limits: Limits,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool],
) -> None:
    """Make `image`, a throw-away overlay, a testbed that root enters with `public_key`.

    The image's own programs do it, within `limits`. Raises `StageFailed` when
    they want more, `TimedOut`, `Cancelled`, `Unavailable` and `ToolFailed`.
    """
    with tempfile.TemporaryDirectory(prefix=".packages-", dir=image.parent) as scratch:
        packages = Path(scratch) / "packages"
        write_repository(packages, mirror, needs, status=read_file(image, DPKG_STATUS))
        try:
            status = customise(
                image,
                ["sh", "-c", SCRIPT],
                binds=[Bind(packages, f"{STAGE}/packages"), Bind(public_key, f"{STAGE}/key.pub")],
                limits=limits,
                log=log,
                timeout=timeout,
                cancelled=cancelled,
            )
        except LimitExceeded as error:
            raise StageFailed(f"preparing the image for its tests was ended: {error.message}") from None
    if status:
        raise ToolFailed("the image could not be prepared for tests; its log says why")


def write_repository(directory: Path, mirror: Mirror, needs: TestbedNeeds, *, status: bytes) -> None:
    """Make a repository of what the tests need beside the packages of `status`, dpkg's list of the image."""
    mirror.refresh()
    with image_resolver(mirror, status=status, archives=needs.archives) as apt:
        apt.write_repository(directory, _wanted(apt, needs))


def _wanted(apt: ImageResolver, needs: TestbedNeeds) -> list[ImagePackage]:
    """What the dependencies take together, or each alone where they do not go together.

    One that cannot be satisfied is left out: autopkgtest reports it with its test.
    """
    if not needs.dependencies:
        return []
    try:
        return list(apt.satisfy(needs.dependencies).install)
    except StageFailed:
        found: dict[Path, ImagePackage] = {}
        for dependency in needs.dependencies:
            try:
                found |= {package.deb: package for package in apt.satisfy([dependency]).install}
            except StageFailed:
                continue
        return list(found.values())
