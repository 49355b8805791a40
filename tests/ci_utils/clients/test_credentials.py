"""Tokens that are kept for this user."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ci_utils.clients.credentials import credentials_path, save, token_for
from ci_utils.errors import ConfigurationError

URL = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return credentials_path()


def test_without_a_file_there_is_no_token():
    assert token_for(URL) == ""


def test_a_kept_token_is_found_by_its_url():
    save(URL, "one")
    save("https://ci.example.com/", "two")
    save(URL, "three")
    assert token_for(f"{URL}/") == "three"
    assert token_for("https://ci.example.com") == "two"
    assert token_for("https://other.example.com") == ""


def test_only_the_user_can_read_the_file(path):
    save(URL, "one")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "\udcff"])
def test_a_file_that_is_broken_is_named_and_kept(path, content):
    path.parent.mkdir(parents=True)
    path.write_text(content, errors="surrogateescape")
    for call in (lambda: token_for(URL), lambda: save(URL, "one")):
        with pytest.raises(ConfigurationError, match=r"credentials\.json must hold one JSON object"):
            call()
    assert path.read_text(errors="surrogateescape") == content


def test_a_place_that_is_no_directory_is_named(tmp_path):
    (tmp_path / "config").write_text("")
    with pytest.raises(ConfigurationError, match="Not a directory"):
        save(URL, "one")


def test_writers_at_the_same_time_lose_nothing():
    threads = [threading.Thread(target=save, args=(f"http://host{n}", str(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [token_for(f"http://host{n}") for n in range(8)] == [str(n) for n in range(8)]
