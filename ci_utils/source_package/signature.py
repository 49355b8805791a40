"""OpenPGP signatures of uploads, verified by gpgv.

A clearsigned file can have text around its signed part; here the signed part
must be all of it, and only what gpgv says was signed is ever parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_utils import quick_program
from ci_utils.errors import TimedOut, UploadRejected
from ci_utils.source_package.control import MAX_BYTES

BEGIN_MESSAGE = b"-----BEGIN PGP SIGNED MESSAGE-----"
BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
END_SIGNATURE = b"-----END PGP SIGNATURE-----"

#: OpenPGP numbers of SHA-256, SHA-384 and SHA-512 (RFC 4880, 9.4).
STRONG_HASHES = ("8", "9", "10")
#: More than a text of MAX_BYTES ever takes; a signature can hold data that is packed without end.
GPGV_SECONDS = 20

#: Reads a signed text and a keyring; what was signed goes to standard output, the verdict to the other.
GPGV = (
    *("gpgv", "--homedir", "/nonexistent", "--keyring", quick_program.SECOND_INPUT),
    *("--weak-digest", "SHA1", "--weak-digest", "RIPEMD160", "--status-fd", "2", "--output", "-", "--", "-"),
)

_ARMOR_LINE = re.compile(rb"[A-Za-z0-9+/=]*|[A-Za-z]+: [\x20-\x7e]*")
_HASH_LINE = re.compile(rb"Hash: [A-Za-z0-9, -]+")

#: What gpgv reports of a signature that is no good; the first that applies is told.
_REFUSALS = {
    "BADSIG": "the signature of {name} is bad: the file was changed after it was signed",
    "REVKEYSIG": "{name} is signed by the revoked key {key}",
    "EXPKEYSIG": "{name} is signed by the expired key {key}",
    "EXPSIG": "the signature of {name} has expired; sign it again",
    "NO_PUBKEY": "{name} is signed by the key {key}, which this engine does not trust; "
    "an operator adds it with: uci-engine uploader add KEYFILE",
}


@dataclass(frozen=True)
class Signature:
    """Who signed: `fingerprint` of the primary key in upper case, `uid` as the key has it."""

    fingerprint: str
    uid: str


@dataclass(frozen=True)
class SignedText:
    """What was signed and by whom."""

    content: bytes
    signature: Signature


def is_clearsigned(text: bytes) -> bool:
    """Whether a text claims to be clearsigned."""
    return text.startswith(BEGIN_MESSAGE)


def signed_content(text: bytes, name: str) -> bytes:
    """The signed part of a clearsigned text, not verified.

    Raises `UploadRejected` if there is no signature, more than one, or
    anything outside of it; `name` is the file's name for the sentence.
    """
    if len(text) > MAX_BYTES:
        raise UploadRejected(f"{name} is larger than {MAX_BYTES} bytes")
    lines = [line.rstrip(b" \t\r") for line in text.rstrip(b"\r\n").split(b"\n")]
    if lines[0] != BEGIN_MESSAGE or BEGIN_SIGNATURE not in lines:
        raise UploadRejected(f"{name} is not signed; sign it with: debsign {name}")
    start = lines.index(b"") if b"" in lines else 0
    end = lines.index(BEGIN_SIGNATURE)
    headers, content, armor = lines[1:start], lines[start + 1 : end], lines[end + 1 : -1]
    sound = (
        0 < start < end
        and lines[-1] == END_SIGNATURE
        and all(_HASH_LINE.fullmatch(line) for line in headers)
        and not any(line.startswith(b"-") for line in content)
        and all(_ARMOR_LINE.fullmatch(line) for line in armor)
    )
    if not sound:
        raise UploadRejected(f"{name} has more in it than one signed part; sign it again")
    return b"\n".join(content) + b"\n"


def verify(text: bytes, keyring: bytes | Path, name: str) -> SignedText:
    """Verify a clearsigned text against the trusted keys of a binary OpenPGP keyring.

    Returns what was signed: nothing else of the text may be used. Raises
    `UploadRejected` if it is unsigned, changed, or signed by an unknown,
    expired or revoked key or with a weak digest.
    """
    signed_content(text, name)
    keys = keyring if isinstance(keyring, bytes) else keyring.read_bytes()
    try:
        status, content, told = quick_program.run(
            GPGV, text, keys, env={"LC_ALL": "C.UTF-8"}, timeout=GPGV_SECONDS, room=2 * MAX_BYTES
        )
    except TimedOut:
        raise UploadRejected(f"the signature of {name} cannot be read; sign it again") from None
    lines = told.decode(errors="replace").split("\n")
    signature = _read_status([line.split(" ")[1:] for line in lines if line.startswith("[GNUPG:] ")], name)
    if status:
        raise UploadRejected(f"the signature of {name} has more in it than a signature; sign it again")
    return SignedText(content, signature)


def _read_status(status: list[list[str]], name: str) -> Signature:
    found = {words[0]: words[1:] for words in status}
    for keyword, sentence in _REFUSALS.items():
        if keyword in found:
            raise UploadRejected(sentence.format(name=name, key=found[keyword][0]))
    count = sum(words[0] == "NEWSIG" for words in status)
    valid = found.get("VALIDSIG", [])
    if count != 1 or "GOODSIG" not in found or len(valid) < 10 or valid[7] not in STRONG_HASHES:
        raise UploadRejected(f"{name} has no signature that this engine accepts; sign it again with SHA-512")
    return Signature(fingerprint=valid[9], uid=" ".join(found["GOODSIG"][1:]))
