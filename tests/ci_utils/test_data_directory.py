from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.data_directory import require_writable
from ci_utils.errors import ConfigurationError


def test_a_directory_is_made_where_there_is_none(tmp_path: Path):
    require_writable(tmp_path / "data" / "images")

    assert (tmp_path / "data" / "images").is_dir()


def test_a_file_in_its_place_is_named_with_the_setting_and_without_the_hosts_path(tmp_path: Path):
    (tmp_path / "data").write_text("")

    with pytest.raises(ConfigurationError, match="UCI_DATA_DIR: cannot make the directory images") as caught:
        require_writable(tmp_path / "data" / "images")

    assert str(tmp_path) not in str(caught.value)
