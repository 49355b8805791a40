"""Where packages come from: the apt sources of this host, or one mirror by its URL.

Reads both styles that apt knows (one-line and deb822) and writes deb822, with
keys embedded wherever a fresh root would not have them.
"""

from __future__ import annotations

import base64
import itertools
import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from debian.deb822 import Deb822

from ci_utils.errors import ConfigurationError

POCKETS = ("", "-updates", "-security", "-proposed-updates", "-backports")
SCHEMES = ("http", "https")

#: Keyrings that every root has, because apt itself depends on their packages.
DISTRIBUTION_KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}


@dataclass(frozen=True)
class AptSource:
    """One suite of one archive.

    `signed_by` is what apt's Signed-By takes: paths, fingerprints or an
    embedded key; empty leaves it to apt's trusted keys.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""
    trusted: bool = False

    def stanza(self, *, source_too: bool, embed_keys: bool) -> str:
        """The deb822 stanza; `embed_keys` writes out keys that a fresh root lacks."""
        lines = [
            f"Types: {'deb deb-src' if source_too else 'deb'}",
            f"URIs: {self.uri}",
            f"Suites: {self.suite}",
            f"Components: {' '.join(self.components)}",
        ]
        if self.signed_by:
            lines.append(f"Signed-By: {_embedded(self.signed_by) if embed_keys else self.signed_by}")
        if self.trusted:
            lines.append("Trusted: yes")
        return "\n".join(lines) + "\n"


def host_sources(series: str, etc_apt: Path = Path("/etc/apt")) -> list[AptSource]:
    """The sources of this host that carry `series` (any pocket) with component main.

    Raises `ConfigurationError` if there is none.
    """
    one_line = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*.list"))]
    deb822 = sorted((etc_apt / "sources.list.d").glob("*.sources"))
    found = itertools.chain(
        *(_one_line_sources(path.read_text()) for path in one_line if path.is_file()),
        *(_deb822_sources(path.read_text()) for path in deb822),
    )
    suites = {series + pocket for pocket in POCKETS}
    wanted = [
        source
        for source in dict.fromkeys(found)
        if source.suite in suites and "main" in source.components and urlsplit(source.uri).scheme in SCHEMES
    ]
    if not any(source.suite == series for source in wanted):
        raise ConfigurationError(
            f"the apt sources of this machine do not have {series}; "
            "set UCI_MIRROR to a mirror that has it or UCI_SERIES to another series"
        )
    return wanted


def mirror_sources(url: str, series: str) -> list[AptSource]:
    """The sources of one mirror: the series and its updates (for Ubuntu also its security pocket)."""
    if "ubuntu" in url:
        distribution = "ubuntu"
    elif "debian" in url:
        distribution = "debian"
    else:
        distribution = platform.freedesktop_os_release().get("ID", "debian")
    keyring = DISTRIBUTION_KEYRINGS.get(distribution, "")
    components: tuple[str, ...] = ("main",)
    pockets: tuple[str, ...] = ("", "-updates")
    if distribution == "ubuntu":
        components += ("universe",)
        pockets += ("-security",)
    elif series in ("sid", "unstable"):
        pockets = ("",)
    return [
        AptSource(url, series + pocket, components, keyring if Path(keyring).is_file() else "")
        for pocket in pockets
    ]


def sources_text(sources: Sequence[AptSource], *, source_too: bool, embed_keys: bool) -> str:
    """A deb822 file for `sources`."""
    return "\n".join(s.stanza(source_too=source_too, embed_keys=embed_keys) for s in sources)


def _deb822_sources(text: str) -> Iterator[AptSource]:
    for stanza in Deb822.iter_paragraphs(text.splitlines(keepends=True), use_apt_pkg=False):
        if "deb" in stanza.get("Types", "").split() and stanza.get("Enabled", "yes").lower() != "no":
            yield from _combinations(
                stanza.get("URIs", "").split(),
                stanza.get("Suites", "").split(),
                tuple(stanza.get("Components", "").split()),
                {key.lower(): value for key, value in stanza.items()},
            )


def _one_line_sources(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        words = shlex.split(line.replace("[", " [ ", 1).replace("]", " ] ", 1), comments=True)
        if not words or words.pop(0) != "deb":
            continue
        options: dict[str, str] = {}
        if words and words[0] == "[" and "]" in words:
            end = words.index("]")
            options = dict(word.split("=", 1) for word in words[1:end] if "=" in word)
            words = words[end + 1 :]
        if len(words) > 2:
            yield from _combinations(words[:1], words[1:2], tuple(words[2:]), options)


def _combinations(
    uris: Iterable[str], suites: Sequence[str], components: tuple[str, ...], options: Mapping[str, str]
) -> Iterator[AptSource]:
    signed_by = options.get("signed-by", "").replace(",", " ").strip()
    trusted = options.get("trusted", "") == "yes"
    for uri, suite in itertools.product(uris, suites):
        yield AptSource(_first_mirror(uri).rstrip("/"), suite, components, signed_by, trusted)


def _first_mirror(uri: str) -> str:
    """Debian's cloud images name their mirrors in a file (`mirror+file:`): take its first."""
    if not uri.startswith("mirror+file:"):
        return uri
    mirrors = Path(urlsplit(uri.removeprefix("mirror+")).path)
    lines = mirrors.read_text().splitlines() if mirrors.is_file() else []
    return next((line.split()[0] for line in lines if line.strip() and not line.startswith("#")), uri)


def _embedded(signed_by: str) -> str:
    """The same Signed-By for a root that has only its distribution's keyring."""
    if not signed_by.startswith("/") or signed_by in DISTRIBUTION_KEYRINGS.values():
        return signed_by
    keys = b"".join(binary_key(Path(path).read_bytes()) for path in signed_by.split())
    return "\n" + "\n".join(f" {line or '.'}" for line in armored(keys).splitlines())


def armored(key: bytes) -> str:
    """An OpenPGP key in its text form, as Signed-By can embed it."""
    text = base64.encodebytes(key).decode().strip()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{text}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def binary_key(data: bytes) -> bytes:
    """An OpenPGP key as apt's keyrings are, from its text form or as it is."""
    if not data.startswith(b"-----BEGIN"):
        return data
    body = data.decode().split("\n\n", 1)[-1].splitlines()
    return base64.b64decode("".join(line for line in body if line and line[0] not in "=-"))
