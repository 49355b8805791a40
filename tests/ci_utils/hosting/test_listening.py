"""The port of the last run is taken again where it is known, and nothing hangs on that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.config import Config
from ci_utils.hosting import listening


def config_of(data_dir: Path) -> Config:
    return Config.from_environment({"UCI_DATA_DIR": str(data_dir), "UCI_LISTEN": "127.0.0.1:0"})


def port_of_a_run(data_dir: Path) -> int:
    config = config_of(data_dir)
    with listening.bound(config) as bound:
        listening.remember(config, bound)
        return int(bound.getsockname()[1])


def test_the_next_run_has_the_same_port(tmp_path: Path):
    assert port_of_a_run(tmp_path) == port_of_a_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [listening.LAST_PORT]


@pytest.mark.parametrize("left", [b"", b"80000", b"\xff", b"none"])
def test_what_is_no_port_is_forgotten(tmp_path: Path, left: bytes):
    (tmp_path / listening.LAST_PORT).write_bytes(left)

    assert port_of_a_run(tmp_path) == port_of_a_run(tmp_path)


def test_a_port_that_cannot_be_kept_stops_nobody(tmp_path: Path):
    (tmp_path / listening.LAST_PORT).mkdir()  # as a full disk does, it takes no file

    assert port_of_a_run(tmp_path)
