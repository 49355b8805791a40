"""Settings are strict: what is wrong is named before any work begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.config import SERVICES, ClientConfig, Config, describe_settings
from ci_utils.errors import ConfigurationError


def test_everything_has_a_default():
    config = Config.from_environment({})

    assert config.services == SERVICES
    assert config.listen == ("127.0.0.1", 8000)
    assert config.url == "http://127.0.0.1:8000"
    assert config.broker == "memory://"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("UCI_POOL_SIZE", "0", "UCI_POOL_SIZE: '0' is not valid: must be a whole number above 0"),
        ("UCI_POOL_SIZE", "two", "UCI_POOL_SIZE: 'two' is not valid"),
        ("UCI_BUILD_MEMORY", "8 GB", "must be a number of bytes above 0, or one with K, M, G or T"),
        ("UCI_BUILD_DISK", "0", "must be a number of bytes above 0"),
        ("UCI_LISTEN", "8000", "UCI_LISTEN: '8000' is not valid: must be HOST:PORT"),
        ("UCI_LISTEN", "localhost:70000", "UCI_LISTEN: "),
        ("UCI_SERVICES", "lander,landr", "'landr' is not a service"),
        ("UCI_DATA_DIR", "relative/path", "must be an absolute path"),
        ("UCI_PUBLIC_URL", "ci.example.com", "must be an http:// or https:// URL"),
        ("UCI_ACCELERATOR", "xen", "must be one of auto, kvm, tcg"),
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_its_setting(name, value, complaint):
    with pytest.raises(ConfigurationError, match=complaint.replace("(", r"\(")):
        Config.from_environment({name: value})


def test_a_size_has_a_unit_or_is_in_bytes():
    config = Config.from_environment({"UCI_BUILD_MEMORY": "8G", "UCI_BUILD_DISK": "1000"})

    assert (config.build_memory, config.build_disk) == (8 << 30, 1000)
    assert Config.from_environment({}).build_memory == 0


def test_a_misspelt_setting_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigurationError, match="UCI_POOLSIZE is not a setting; did you mean UCI_POOL_SIZE"):
        Config.from_environment({"UCI_POOLSIZE": "3"})


def test_a_secret_comes_from_a_file(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("s3cret\n")

    assert Config.from_environment({"UCI_SERVICE_TOKEN_FILE": str(file)}).service_token == "s3cret"


def test_a_secret_in_two_places_is_refused(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("one")

    with pytest.raises(ConfigurationError, match="are both set") as caught:
        Config.from_environment({"UCI_SERVICE_TOKEN": "two", "UCI_SERVICE_TOKEN_FILE": str(file)})
    assert "two" not in caught.value.message


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="UCI_TOKEN_FILE: cannot read"):
        ClientConfig.from_environment({"UCI_TOKEN_FILE": str(tmp_path / "none")})


def test_a_service_is_at_this_engine_unless_it_has_an_address():
    config = Config.from_environment({"UCI_LANDER_URL": "http://lander.example:8080/"})

    assert config.service_url("lander") == "http://lander.example:8080"
    assert config.service_url("test_runner") == config.url


def test_an_ipv6_address_is_written_as_urls_need_it():
    assert Config.from_environment({"UCI_LISTEN": "[::1]:8000"}).url == "http://[::1]:8000"


def test_every_setting_is_described_once():
    names = [setting.name for setting in describe_settings()]

    assert len(names) == len(set(names))
    assert all(setting.help.endswith(".") for setting in describe_settings())
