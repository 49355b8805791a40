"""Programs run in an image's root, and nowhere else; afterwards the image is clean."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ci_utils.disk_image import layout
from ci_utils.disk_image.customise import customise, read_file
from ci_utils.errors import Cancelled, NotFound, TimedOut
from ci_utils.sandbox.sandbox import Bind
from tests.ci_utils.disk_image.disks import check_file_system

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1200)]


class Run:
    """Runs shell text in an image and keeps what it printed."""

    def __init__(self, image: Path, log: Path) -> None:
        self._image, self._log = image, log

    def __call__(self, text: str, **options) -> str:
        with self._log.open("wb") as log:
            self.status = customise(
                self._image, ["/bin/sh", "-c", text], log=log, timeout=options.pop("timeout", 300), **options
            )
        return self._log.read_text()


@pytest.fixture
def run(image: Path, tmp_path: Path) -> Run:
    return Run(image, tmp_path / "log")


def test_what_a_program_writes_is_in_the_image_and_not_in_its_base(run, image, base_image):
    assert run("echo new > /etc/new; cat /etc/hostname") == "localhost\n"
    assert run.status == 0
    assert read_file(image, "/etc/new") == b"new\n"
    with pytest.raises(NotFound, match="/etc/new"):
        read_file(base_image, "/etc/new")


def test_the_exit_status_is_the_programs(run):
    run("exit 7")
    assert run.status == 7


def test_the_program_is_root_and_sees_nothing_of_the_host(run):
    assert run("id -u; cat /etc/hostname") == "0\nlocalhost\n"
    run(f"ls {Path(__file__).parent}")
    assert run.status == 2
    assert "/mnt" not in run("cat /proc/self/mountinfo")


def test_the_program_has_no_network(run):
    interfaces = run("tail -n +3 /proc/net/dev | cut -d: -f1").split()
    assert interfaces == ["lo"]


def test_bound_files_are_seen_while_the_program_runs(run, tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "file").write_text("bound\n")
    binds = [Bind(tmp_path / "archive", "/run/archive")]
    assert run("cat /run/archive/file", binds=binds) == "bound\n"
    assert "Read-only" in run("touch /run/archive/other", binds=binds)
    assert run("ls /run") == ""


def test_services_are_not_started_meanwhile_and_nothing_of_that_stays(run, image):
    assert run("/usr/sbin/policy-rc.d ssh start || echo refused $?; exit 3") == "refused 101\n"
    with pytest.raises(NotFound):
        read_file(image, "/usr/sbin/policy-rc.d")


def test_the_file_system_is_clean_afterwards(run, image):
    # 100 MB take seconds here and a minute where the disk is busy.
    run("for n in 1 2 3; do mkdir /d$n; cp -r /usr/bin /d$n/; done; rm -r /d2 /usr/share/doc", timeout=500)
    assert run.status == 0
    check_file_system(image, layout.root_partition(image).offset)


def test_an_image_whose_program_takes_too_long_is_deleted(run, image):
    with pytest.raises(TimedOut):
        run("sleep 1000", timeout=1)
    assert not image.exists()
    assert not helpers_of(image)


def test_an_image_whose_work_is_cancelled_is_deleted(run, image):
    cancelled = threading.Event()
    threading.Timer(0.5, cancelled.set).start()
    with pytest.raises(Cancelled):
        run("sleep 1000", cancelled=cancelled.is_set)
    assert not image.exists()
    assert not helpers_of(image)


def test_nothing_is_mounted_afterwards(run):
    before = Path("/proc/self/mountinfo").read_text()
    run("exit 1")
    assert Path("/proc/self/mountinfo").read_text() == before


def test_everything_ends_with_an_engine_that_is_killed(image, tmp_path):
    program = (
        "import sys; from pathlib import Path; from ci_utils.disk_image.customise import customise\n"
        "customise(Path(sys.argv[1]), ['/bin/sh', '-c', 'echo up; sleep 1000'], "
        "log=sys.stdout.buffer, timeout=1000)"
    )
    with subprocess.Popen([sys.executable, "-c", program, image], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"up\n"
        assert helpers_of(image)
        engine.kill()
        # Every process of the sandbox holds the pipe: it ends with the last of them.
        assert engine.stdout.read() == b""


def helpers_of(image: Path) -> list[str]:
    """Command lines of processes that have the image open."""
    inode = image.stat().st_ino if image.exists() else None
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [link.stat() for link in (process / "fd").iterdir()]
            command = (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if (inode and any(f.st_ino == inode for f in files)) or str(image) in command:
            found.append(command)
    return found
