"""Public OpenPGP keys, as an operator adds them for an uploader."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass

from ci_utils import commands
from ci_utils.errors import InvalidRequest, ToolFailed
from ci_utils.source_package.control import MAX_BYTES

#: Fewest bits of a key by its algorithm's OpenPGP number (RSA, DSA); others are elliptic curves.
FEWEST_BITS = {"1": 2048, "3": 2048, "17": 2048}
UNUSABLE = {"e": "has expired", "r": "is revoked", "i": "is not valid", "d": "is disabled"}

_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class PublicKey:
    """One key: `fingerprint` in upper case, its first `uid`, `content` in OpenPGP's binary form."""

    fingerprint: str
    uid: str
    content: bytes


def read_key(text: bytes) -> PublicKey:
    """Read one public key, armored or binary.

    Raises `InvalidRequest` for a secret key, more than one key, an expired,
    revoked or weak key, or anything that is no key. The contents of keys that
    are read this way, one after the other, are a keyring for `verify`.
    """
    if len(text) > MAX_BYTES:
        raise InvalidRequest(f"the key file is larger than {MAX_BYTES} bytes")
    with tempfile.TemporaryDirectory(prefix="uci-gpg-") as home:
        listing = _gpg(home, text, "show-only", "--with-colons").decode(errors="replace")
        fingerprint, uid = _one_key([line.split(":") for line in listing.split("\n")])
        return PublicKey(fingerprint, uid, _gpg(home, text, "import-export"))


def _gpg(home: str, text: bytes, options: str, *arguments: str) -> bytes:
    command = ("gpg", "--homedir", home, "--batch", "--no-tty", "--quiet", *arguments)
    try:
        return commands.run((*command, "--import-options", options, "--import"), input=text)
    except ToolFailed:
        raise InvalidRequest(
            "the file holds no OpenPGP key; make it with: gpg --armor --export KEYID"
        ) from None


def _one_key(records: list[list[str]]) -> tuple[str, str]:
    """Fingerprint and uid of the one usable public key among gpg's colon records."""
    if any(record[0] in ("sec", "ssb") for record in records):
        raise InvalidRequest("the file holds a secret key; give the public key: gpg --armor --export KEYID")
    keys = [record for record in records if record[0] == "pub"]
    if len(keys) != 1:
        raise InvalidRequest(
            f"the file must hold one OpenPGP key, not {len(keys)};"
            " choose one by its fingerprint: gpg --armor --export FINGERPRINT"
        )
    fingerprint = next(record[9] for record in records if record[0] == "fpr")
    validity, bits, algorithm = keys[0][1], int(keys[0][2]), keys[0][3]
    if validity in UNUSABLE:
        raise InvalidRequest(f"the key {fingerprint} {UNUSABLE[validity]}; give one that is in use")
    if bits < FEWEST_BITS.get(algorithm, 0):
        raise InvalidRequest(f"the key {fingerprint} is too short with {bits} bits; make one of 3072 or more")
    uid = next((record[9] for record in records if record[0] == "uid"), "")
    return fingerprint, _ESCAPED.sub(lambda match: chr(int(match[1], 16)), uid)
