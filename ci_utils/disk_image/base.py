"""Makes a bootable base image from the package mirror, without root.

All packages are resolved and fetched on the host first; mmdebstrap then runs
without a network as root of a sandbox, on a tmpfs where memory allows, and the
tree goes into a GPT disk that boots in BIOS and UEFI. The result is a small
server system as a cloud image would be: systemd with DHCP, OpenSSH without host keys,
sudo, apt with the sources of the series. Nobody can log in until a key is put
in, which in an image for clouds cloud-init does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror, architecture
from ci_utils.disk_image import bootloader, qcow2
from ci_utils.disk_image.packages import image_resolver
from ci_utils.errors import InvalidRequest, StageFailed
from ci_utils.sandbox.sandbox import Bind, Host, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory

DISK_BYTES = 4 * 1024**3
#: What mmdebstrap needs on a tmpfs while the rest of the machine goes on.
TMPFS_MEMORY_BYTES = 3 * 1024**3

KERNELS = ("linux-image-cloud-amd64", "linux-image-virtual")
PACKAGES = [
    *("systemd", "systemd-sysv", "systemd-resolved", "libpam-systemd", "udev", "dbus", "kmod"),
    *("initramfs-tools", "zstd", "e2fsprogs", "netbase", "iproute2", "iputils-ping", "openssh-server"),
    *("ca-certificates", "sudo", "less", "procps", "tzdata", "usr-is-merged"),
]
#: What a cloud's machines have beside it: keys, names, networks and the size of the disk come from the cloud.
CLOUD_PACKAGES = ["cloud-init", "cloud-guest-utils"]

FILES = {
    "etc/fstab": f"LABEL={bootloader.LABEL} / ext4 defaults,errors=remount-ro 0 1\n",
    "etc/hostname": "localhost\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/systemd/network/80-dhcp.network": "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n",
    # Host keys are every machine's own: made at its first boot, before sshd starts.
    "etc/systemd/system/ssh-host-keys.service": (
        "[Unit]\nDescription=Make missing SSH host keys\nBefore=ssh.service ssh.socket\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n\n"
        "[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -A\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
    "boot/grub/grub.cfg": bootloader.GRUB_CONFIG,
}
#: Where cloud-init looks for what the cloud says: waiting for other clouds' servers would hold up each boot.
CLOUD_FILES = {
    "etc/cloud/cloud.cfg.d/90-openstack.cfg": "datasource_list: [ConfigDrive, OpenStack, None]\n",
}

#: Runs on the finished tree as root of the sandbox; $1 is the tree.
FINISH = r"""
set -e
cp -r /mnt/files/. "$1"
rm -f "$1"/etc/ssh/ssh_host_*_key* "$1"/etc/apt/sources.list "$1"/var/cache/ldconfig/aux-cache
rm -f "$1"/etc/resolv.conf && ln -s /run/systemd/resolve/stub-resolv.conf "$1"/etc/resolv.conf
: > "$1"/etc/machine-id
chroot "$1" systemctl --quiet enable systemd-networkd systemd-resolved ssh-host-keys ssh
"""

BUILD = r"""
set -e
if [ "$TREE" = memory ]; then mount -t tmpfs -o size=80% tmpfs /mnt/tree; fi
export TMPDIR=/mnt/tree/tmp; mkdir -m 1777 $TMPDIR
mmdebstrap --mode=root --variant=apt --format=directory --include="$PACKAGES" \
    --aptopt='APT::Sandbox::User "root"' --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --customize-hook='sh /mnt/finish "$1"' \
    "$SERIES" /mnt/tree/root 'deb [trusted=yes] copy:/mnt/packages ./'
mke2fs -q -t ext4 -F -L "$LABEL" -E "offset=$OFFSET,lazy_itable_init=1,root_owner=0:0" \
    -d /mnt/tree/root /mnt/disk "$SIZE"k
"""


def make_base_image(
    path: Path,
    mirror: Mirror,
    *,
    for_cloud: bool = False,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write a qcow2 base image of the mirror's series to `path`, whole or not at all.

    `for_cloud` adds cloud-init, so that machines of OpenStack can be entered.
    `log` gets what the tools print. Raises `StageFailed` if the series lacks a
    package or the tools fail, `TimedOut`, `Cancelled`, `Unavailable` if the
    mirror does not answer, `InvalidRequest` on other machines than amd64.
    """
    if architecture() != "amd64":
        raise InvalidRequest(
            "base images are made on amd64 only; add a cloud image instead: uci-engine image base add"
        )
    mirror.refresh()
    work = Path(tempfile.mkdtemp(prefix=".base-", dir=path.parent))
    try:
        (work / "finish").write_text(FINISH)
        _write_files(work / "files", mirror, CLOUD_FILES if for_cloud else {})
        packages = _fetch_packages(work / "packages", mirror, CLOUD_PACKAGES if for_cloud else [])
        disk = work / "disk"
        with disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        bootloader.partition(disk)
        _build(work, disk, mirror.series, packages, log, timeout, cancelled)
        bootloader.install(disk, work)
        qcow2.from_raw(disk, work / "disk.qcow2")
        (work / "disk.qcow2").rename(path)
    finally:
        remove_tree(work)


def _write_files(directory: Path, mirror: Mirror, more: Mapping[str, str]) -> None:
    """The files that the image gets beside its packages."""
    files = {**FILES, **more} | {"etc/apt/sources.list.d/mirror.sources": mirror.sources_text()}
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def _fetch_packages(directory: Path, mirror: Mirror, more: Sequence[str]) -> list[str]:
    """Make a local archive of everything that goes into the image; the names to install."""
    missing = mirror.knows_binaries(KERNELS)
    kernels = [name for name in KERNELS if name not in missing]
    if not kernels:
        raise StageFailed(f"{mirror.series} has none of the kernels {' and '.join(KERNELS)}")
    names = [*PACKAGES, *more, kernels[0]]
    with image_resolver(mirror, status=b"") as apt:
        apt.write_repository(directory, apt.bootstrap(names).install)
    return names


def _build(
    work: Path,
    disk: Path,
    series: str,
    packages: list[str],
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool],
) -> None:
    disk.chmod(0o666)
    sandbox = Sandbox(
        Host(),
        binds=[
            Bind(disk, "/mnt/disk", read_only=False),
            Bind(writable_directory(work / "tree"), "/mnt/tree", read_only=False),
            *(Bind(work / name, f"/mnt/{name}") for name in ("files", "finish", "packages")),
        ],
    )
    env = {
        "SERIES": series,
        "PACKAGES": ",".join(packages),
        "TREE": "memory" if _memory_available() > TMPFS_MEMORY_BYTES else "disk",
        "LABEL": bootloader.LABEL,
        "OFFSET": str(bootloader.ROOT_OFFSET),
        "SIZE": str(bootloader.root_size(DISK_BYTES) // 1024),
        "DEBIAN_FRONTEND": "noninteractive",
    }
    if sandbox.run(["sh", "-c", BUILD], log=log, timeout=timeout, cancelled=cancelled, env=env):
        raise StageFailed(f"the base image of {series} cannot be made from the mirror; its log says why")


def _memory_available() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024
