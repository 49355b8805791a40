"""Reading the host's apt sources and writing them for a root."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.apt.sources import AptSource, armored, host_sources, mirror_sources, sources_text
from ci_utils.errors import ConfigurationError

DEB822 = """\
Types: deb
# a comment inside
URIs: http://mirror.example.org/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://source.only/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://switched.off/debian
Suites: bookworm
Components: main
"""


def test_deb822_sources_are_read(etc_apt: Path):
    (etc_apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert host_sources("bookworm", etc_apt) == [
        AptSource("http://mirror.example.org/debian", "bookworm", ("main", "contrib"), keyring),
        AptSource("http://mirror.example.org/debian", "bookworm-updates", ("main", "contrib"), keyring),
    ]


def test_one_line_sources_are_read_with_their_options(etc_apt: Path):
    (etc_apt / "sources.list").write_text(
        "# deb http://commented.out/ noble main\n"
        "deb [arch=amd64 signed-by=/etc/key.gpg] http://archive/ubuntu noble main universe #\n"
        "deb-src http://archive/ubuntu noble main\n"
        "deb http://security/ubuntu noble-security main\n"
    )
    assert host_sources("noble", etc_apt) == [
        AptSource("http://archive/ubuntu", "noble", ("main", "universe"), "/etc/key.gpg"),
        AptSource("http://security/ubuntu", "noble-security", ("main",)),
    ]


def test_other_suites_and_archives_without_main_are_left_out(etc_apt: Path):
    (etc_apt / "sources.list").write_text(
        "deb http://deb/debian trixie main\n"
        "deb http://deb/debian trixie-backports main\n"
        "deb http://deb/debian sid main\n"
        "deb http://vendor/apt trixie stable\n"
        "deb file:/srv/local trixie main\n"
    )
    assert [source.suite for source in host_sources("trixie", etc_apt)] == ["trixie", "trixie-backports"]


def test_a_host_without_the_series_is_told_what_to_set(etc_apt: Path):
    with pytest.raises(ConfigurationError, match=r"do not have bookworm; set UCI_MIRROR"):
        host_sources("bookworm", etc_apt)


def test_the_first_of_a_list_of_mirrors_is_taken(etc_apt: Path):
    mirrors = etc_apt / "mirrors.list"
    mirrors.write_text("# mirrors\nhttps://first/debian\nhttps://second/debian\n")
    (etc_apt / "sources.list").write_text(f"deb mirror+file:{mirrors} bookworm main\n")
    assert [source.uri for source in host_sources("bookworm", etc_apt)] == ["https://first/debian"]


def test_a_mirror_by_url_brings_the_pockets_of_its_distribution():
    suites = [source.suite for source in mirror_sources("http://mirror/ubuntu", "noble")]
    assert suites == ["noble", "noble-updates", "noble-security"]
    assert [source.suite for source in mirror_sources("http://mirror/debian", "sid")] == ["sid"]


def test_keys_that_a_fresh_root_lacks_are_written_out(tmp_path: Path):
    key = tmp_path / "vendor.gpg"
    key.write_bytes(b"\x99\x01\x02key")
    source = AptSource("http://vendor/debian", "bookworm", ("main",), str(key))
    text = sources_text([source], source_too=True, embed_keys=True)
    assert text == (
        "Types: deb deb-src\nURIs: http://vendor/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQECa2V5\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_a_key_in_text_form_is_embedded_the_same(tmp_path: Path):
    binary, text = tmp_path / "key.gpg", tmp_path / "key.asc"
    binary.write_bytes(b"\x99\x01\x02key")
    text.write_text(armored(b"\x99\x01\x02key"))
    stanzas = [
        AptSource("http://vendor/debian", "bookworm", ("main",), str(path)).stanza(
            source_too=False, embed_keys=True
        )
        for path in (binary, text)
    ]
    assert stanzas[0] == stanzas[1]
