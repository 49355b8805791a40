"""Programs in a workshop reach nothing of the host and cannot fill its disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ci_utils.errors import StageFailed, TimedOut
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.trees import remove_tree
from test_runner.domain.workshop import Workshop, open_hostile

pytestmark = pytest.mark.system


@pytest.fixture
def shop(tmp_path: Path):
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    yield Workshop(place)
    remove_tree(place)


def output_of(shop: Workshop, script: str) -> str:
    with tempfile.TemporaryFile() as log:
        shop.run(["sh", "-c", script], log=log)
        log.seek(0)
        return log.read().decode()


def test_a_program_is_nobody_of_the_host(shop):
    assert output_of(shop, "id -u; pwd; echo $HOME") == "1000\n/srv/tests\n/srv/tests/home\n"


def test_there_is_no_network(shop):
    assert output_of(shop, "cat /proc/net/dev | grep -c :") == "1\n"


def test_nothing_of_the_host_is_there_but_its_programs(shop, tmp_path):
    (tmp_path / "secret").write_text("secret")
    shown = output_of(shop, f"cat {tmp_path}/secret /etc/shadow /root/.ssh/*; ls /home /var 2>&1")
    assert "secret\n" not in shown
    assert shown.count("No such file") == 5


def test_the_hosts_programs_cannot_be_changed(shop):
    assert "Read-only file system" in output_of(shop, "touch /usr/bin/x 2>&1")


def test_a_program_that_writes_too_much_is_stopped(tmp_path):
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    shop = Workshop(place, Limits(disk=8 << 20))
    with pytest.raises(StageFailed, match="sh was stopped: it filled the 8 MiB of disk that it may use"):
        output_of(shop, "while :; do head -c 1000000 /dev/zero > $(mktemp); sleep 0.05; done")
    remove_tree(place)


def test_a_short_program_that_writes_too_much_is_stopped_by_the_limit_that_is_named(tmp_path):
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    shop = Workshop(place, Limits(disk=1 << 20))
    with (
        (tmp_path / "output").open("wb") as output,
        pytest.raises(StageFailed, match=r"^sh was stopped: it filled the 1 MiB of disk"),
    ):
        shop.output(["sh", "-c", "head -c 9M /dev/zero > full; sleep 60"], output)
    remove_tree(place)


def test_only_plain_files_are_opened(tmp_path):
    (tmp_path / "plain").write_text("content")
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with open_hostile(tmp_path, "plain") as file:
        assert file.read() == b"content"
    for name in ("link", "pipe", "folder", "../plain", "gone"):
        with pytest.raises(OSError):  # noqa: PT011 -- any of its kinds
            open_hostile(tmp_path, name)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_long(shop, tmp_path):
    with (tmp_path / "output").open("wb") as output, pytest.raises(TimedOut, match="sh did not end"):
        shop.output(["sh", "-c", "mkfifo pipe && exec head -- pipe"], output, timeout=2)
