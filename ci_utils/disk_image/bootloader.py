"""Makes a disk bootable in BIOS and UEFI without mounting it and without root.

GRUB's own tools need to mount the disk. Here its images are made by
`grub-mkimage` and placed as `grub-install` would: the core image in the BIOS
boot partition, and `BOOTX64.EFI` in the EFI system partition (which is how
removable media boot, so no firmware variable is needed).
"""

from __future__ import annotations

import struct
from pathlib import Path

from ci_utils.commands import run
from ci_utils.disk_image.layout import BIOS_BOOT, EFI_SYSTEM, LINUX_ROOT_X86_64, SECTOR, parse_gpt

MIB = 1024 * 1024
LABEL = "cloudimg-rootfs"
BOOT_IMAGE = Path("/usr/lib/grub/i386-pc/boot.img")

#: As in Debian's and Ubuntu's cloud images: BIOS boot and ESP first, the root takes the rest and can grow.
BIOS_OFFSET, BIOS_SIZE = 1 * MIB, 3 * MIB
ESP_OFFSET, ESP_SIZE = 4 * MIB, 64 * MIB
ROOT_OFFSET = ESP_OFFSET + ESP_SIZE
END_RESERVE = 1 * MIB

MODULES = [
    *("part_gpt", "ext2", "search", "search_label", "search_fs_uuid", "search_fs_file"),
    *("configfile", "linux", "normal", "echo", "test", "serial", "terminal"),
    *("ls", "cat", "boot", "gzio", "minicmd", "sleep", "reboot", "halt"),
]
EFI_MODULES = ["fat", "efi_gop", "all_video"]

EARLY_CONFIG = f"""\
search.fs_label {LABEL} root
set prefix=($root)/boot/grub
configfile ($root)/boot/grub/grub.cfg
"""

#: Goes by the links that kernel packages keep, so that a new kernel boots without rewriting it.
GRUB_CONFIG = f"""\
serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
menuentry linux {{
  search --no-floppy --label {LABEL} --set root
  linux /vmlinuz root=LABEL={LABEL} ro quiet console=tty0 console=ttyS0,115200
  initrd /initrd.img
}}
"""

# Offsets that grub-core's boot.S and diskboot.S name; i386/pc/boot.h has them.
KERNEL_SECTOR = 0x5C
BOOT_DRIVE = 0x64
DRIVE_CHECK = 0x66
PARTITION_TABLE_START = 0x1B8
CORE_BLOCK_LIST = 0x1F4
CORE_SEGMENT = 0x820


def root_size(disk_size: int) -> int:
    """Bytes of the root partition of a disk of this size (both multiples of 1 MiB)."""
    return disk_size - ROOT_OFFSET - END_RESERVE


def partition(disk: Path) -> None:
    """Write the partition table into the raw file `disk`, whose size stands already."""
    entries = [
        (14, BIOS_OFFSET, BIOS_SIZE, BIOS_BOOT),
        (15, ESP_OFFSET, ESP_SIZE, EFI_SYSTEM),
        (1, ROOT_OFFSET, root_size(disk.stat().st_size), LINUX_ROOT_X86_64),
    ]
    lines = [
        f"{disk}{number}: start={offset // SECTOR}, size={size // SECTOR}, type={kind}"
        for number, offset, size, kind in entries
    ]
    table = "\n".join(["label: gpt", *lines])
    run(["sfdisk", "--quiet", disk], input=table.encode())
    with disk.open("rb") as file:
        parse_gpt(file.read(128 * SECTOR), disk_size=disk.stat().st_size)


def install(disk: Path, scratch: Path) -> None:
    """Put GRUB into a partitioned raw file whose root file system has `GRUB_CONFIG` as its grub.cfg."""
    early = scratch / "early.cfg"
    early.write_text(EARLY_CONFIG)
    _install_bios(disk, _mkimage("i386-pc", scratch / "core.img", early, ["biosdisk", *MODULES]))
    _install_uefi(
        disk, _mkimage("x86_64-efi", scratch / "BOOTX64.EFI", early, MODULES + EFI_MODULES), scratch
    )


def _mkimage(platform: str, target: Path, early: Path, modules: list[str]) -> Path:
    run(["grub-mkimage", "-O", platform, "-o", target, "-p", "/boot/grub", "-c", early, *modules])
    return target


def _install_bios(disk: Path, core_image: Path) -> None:
    core_sector = BIOS_OFFSET // SECTOR
    boot = bytearray(BOOT_IMAGE.read_bytes()[:SECTOR])
    struct.pack_into("<Q", boot, KERNEL_SECTOR, core_sector)
    boot[BOOT_DRIVE] = 0xFF  # the drive that the firmware booted from
    boot[DRIVE_CHECK : DRIVE_CHECK + 2] = b"\x90\x90"  # grub-setup does so for hard disks
    core = bytearray(core_image.read_bytes())
    core += bytes(-len(core) % SECTOR)
    struct.pack_into("<QHH", core, CORE_BLOCK_LIST, core_sector + 1, len(core) // SECTOR - 1, CORE_SEGMENT)
    with disk.open("r+b") as file:
        boot[PARTITION_TABLE_START:] = file.read(SECTOR)[PARTITION_TABLE_START:]
        file.seek(0)
        file.write(boot)
        file.seek(BIOS_OFFSET)
        file.write(core)


def _install_uefi(disk: Path, loader: Path, scratch: Path) -> None:
    system = scratch / "esp"
    with system.open("wb") as file:
        file.truncate(ESP_SIZE)
    run(["mformat", "-i", system, "-v", "UEFI", "-F", "::"])
    run(["mmd", "-i", system, "::/EFI", "::/EFI/BOOT"])
    run(["mcopy", "-i", system, loader, "::/EFI/BOOT/"])
    with system.open("rb") as source, disk.open("r+b") as target:
        target.seek(ESP_OFFSET)
        while block := source.read(MIB):
            if any(block):
                target.write(block)
            else:
                target.seek(len(block), 1)
