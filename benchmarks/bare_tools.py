"""What somebody without the engine would do by hand: sbuild, virt-customize, autopkgtest over ssh.

The tools run with their defaults. What they need once (sbuild's root, a kernel
for libguestfs, a user that sbuild accepts) is made beforehand and kept, so that
what is measured is warm, as the engine is.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.by_hand import Machine
from ci_utils.apt.mirror import Mirror, architecture
from ci_utils.commands import run_logged
from ci_utils.disk_image import qcow2

#: sbuild's unshare mode refuses root; this user is made for it where root runs the benchmark.
USER = "uci-benchmark"
KERNEL = "linux-image-cloud-amd64"
TOOL_SECONDS = 900


class ToolUnavailable(Exception):
    """A tool cannot be had on this machine; the message says why."""


class BareTools:
    """The tools, with what they keep below `cache`."""

    def __init__(self, cache: Path, mirror: Mirror) -> None:
        self._cache = cache
        self._mirror = mirror
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make what the tools need once; `ToolUnavailable` if that cannot be."""
        for program in ("sbuild", "virt-customize", "depmod", "mmdebstrap", "autopkgtest"):
            if not shutil.which(program) and not Path("/usr/sbin", program).exists():
                raise ToolUnavailable(f"{program} is not installed; see benchmarks/debian-packages.txt")
        if os.geteuid() != 0:
            raise ToolUnavailable(
                "the bare tools are run by root only, who can become another user for sbuild"
            )
        self._mirror.refresh()
        self._make_user()
        self._make_root()
        self._make_kernel()
        if not list(self._cache.glob(".guestfs-*/appliance.d/root")):
            _run(["guestfish", "-a", "/dev/null", "run"], self._cache, {**os.environ, **self._libguestfs()})

    def sbuild(self, dsc: Path, directory: Path) -> list[Path]:
        """Build a source package with sbuild's defaults; the binary packages that it made."""
        shutil.chown(directory, USER)
        home = pwd.getpwnam(USER).pw_dir
        environment = {"HOME": home, "USER": USER, "LOGNAME": USER, "PATH": os.environ["PATH"]}
        command = ["sbuild", "--chroot-mode=unshare", f"--chroot={self._root}", "--no-run-lintian"]
        command += [f"--dist={self._mirror.series}", f"--arch={architecture()}", str(dsc)]
        _run(["runuser", "-u", USER, "--", *command], directory, environment)
        return sorted(directory.glob("*.deb"))

    def virt_customize(self, base: Path, debs: Sequence[Path], overlay: Path, *, key: Path) -> None:
        """Install packages, and root's ssh key for the tests, in a new overlay on a base image."""
        qcow2.create_overlay(overlay, base)
        places = [f"/root/{deb.name}" for deb in debs]
        uploads = [a for deb, place in zip(debs, places, strict=True) for a in ("--upload", f"{deb}:{place}")]
        install = f"apt-get install -y {' '.join(places)} && rm {' '.join(places)}"
        command = ["virt-customize", "--quiet", "--no-network", "-a", str(overlay), *uploads]
        command += ["--run-command", install, "--ssh-inject", f"root:file:{key}"]
        _run(command, overlay.parent, {**os.environ, **self._libguestfs()})

    @staticmethod
    def test(overlay: Path, key: Path, dsc: Path, debs: Sequence[Path], directory: Path) -> None:
        """Boot an image and run the package's tests on it over ssh; `ToolUnavailable` unless they pass."""
        with Machine.boot(overlay, key) as machine:
            where = ["--hostname=127.0.0.1", f"--port={machine.port}", "--login=root", f"--identity={key}"]
            where += ["--capability=isolation-machine"]
            command = ["autopkgtest", "--setup-commands=apt-get update", f"--output-dir={directory}/output"]
            command += [*map(str, debs), str(dsc)]
            _run([*command, "--", "ssh", *where], directory, os.environ, accepted=(0, 2))

    @property
    def _root(self) -> Path:
        return self._cache / f"{self._mirror.series}.tar.zst"

    def _make_user(self) -> None:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            _run(["useradd", "--create-home", "--shell", "/bin/sh", USER], self._cache, os.environ)
        if f"{USER}:" not in Path("/etc/subuid").read_text():
            raise ToolUnavailable(f"the user {USER} has no subordinate ids (/etc/subuid)")

    def _make_root(self) -> None:
        if self._root.exists():
            return
        sources = self._cache / "mirror.sources"
        sources.write_text(self._mirror.sources_text())
        fresh = self._cache / "fresh.tar.zst"
        command = ["mmdebstrap", "--variant=buildd", "--skip=output/mknod", self._mirror.series]
        _run([*command, str(fresh), str(sources)], self._cache, os.environ)
        fresh.chmod(0o644)
        fresh.rename(self._root)

    def _make_kernel(self) -> None:
        """A kernel for libguestfs, unpacked, which no package of this host has to be installed for."""
        place = self._cache / "kernel"
        if not place.exists():
            package = self._mirror.apt_cache("depends", KERNEL).partition("Depends: ")[2].split()[0]
            scratch = self._cache / "kernel.new"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            self._mirror.apt_get("-qq", "download", package, cwd=scratch, timeout=TOOL_SECONDS)
            deb = next(scratch.glob("linux-image-*.deb"))
            _run(["dpkg-deb", "--extract", str(deb), str(scratch)], scratch, os.environ)
            version = next((scratch / "lib/modules").iterdir()).name
            _run(["/usr/sbin/depmod", "-b", str(scratch), version], scratch, os.environ)
            scratch.rename(place)
        Path("/lib/modules").mkdir(exist_ok=True)  # supermin wants to see one

    def _libguestfs(self) -> Mapping[str, str]:
        modules = next((self._cache / "kernel/lib/modules").iterdir())
        return {
            "LIBGUESTFS_BACKEND": "direct",
            "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",
            "LIBGUESTFS_CACHEDIR": str(self._cache),
            "SUPERMIN_KERNEL": str(self._cache / "kernel/boot" / f"vmlinuz-{modules.name}"),
            "SUPERMIN_MODULES": str(modules),
        }


def _run(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], accepted: Sequence[int] = (0,)
) -> None:
    """Run a tool to its end, with all that it started; `ToolUnavailable` says how it failed."""
    with tempfile.TemporaryFile() as log:
        status = run_logged(command, log=log, timeout=TOOL_SECONDS, cwd=directory, env=environment)
        if status not in accepted:
            log.seek(0)
            said = " ".join(log.read().decode(errors="replace").split()[-40:])
            raise ToolUnavailable(f"{command[0]} ended with status {status}: {said}")
