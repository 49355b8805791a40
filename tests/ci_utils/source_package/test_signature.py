"""Signatures, made by a real gpg and verified by a real gpgv."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest

from ci_utils.errors import InvalidRequest, UploadRejected
from ci_utils.source_package.keys import read_key
from ci_utils.source_package.signature import signed_content, verify
from tests.ci_utils.source_package.uploads import SigningKey

NAME = "hello_1_source.changes"
TEXT = b"Source: hello\nVersion: 1\n"


def refusal(text: bytes, keyring: bytes) -> str:
    with pytest.raises(UploadRejected) as caught:
        verify(text, keyring, NAME)
    return caught.value.message


def test_what_a_trusted_key_signed_is_returned(alice: SigningKey, mallory: SigningKey):
    signed = verify(alice.clearsign(TEXT), mallory.public() + alice.public(), NAME)
    assert signed.content == TEXT
    assert signed.signature.fingerprint == alice.fingerprint
    assert signed.signature.uid == "Alice <alice@example.com>"


def test_the_keyring_can_be_a_file(alice: SigningKey, tmp_path: Path):
    (tmp_path / "keys.gpg").write_bytes(alice.public())
    assert verify(alice.clearsign(TEXT), tmp_path / "keys.gpg", NAME).content == TEXT


def test_an_unsigned_text_is_refused(alice: SigningKey):
    assert refusal(TEXT, alice.public()) == f"{NAME} is not signed; sign it with: debsign {NAME}"


def test_a_signature_by_an_unknown_key_is_refused_with_its_id(alice: SigningKey, mallory: SigningKey):
    message = refusal(mallory.clearsign(TEXT), alice.public())
    assert f"signed by the key {mallory.fingerprint[-16:]}" in message
    assert "does not trust" in message


def test_without_any_trusted_key_no_signature_is_accepted(alice: SigningKey):
    assert "does not trust" in refusal(alice.clearsign(TEXT), b"")


def test_a_text_changed_after_signing_is_refused(alice: SigningKey):
    changed = alice.clearsign(TEXT).replace(b"Version: 1", b"Version: 2")
    assert "was changed after it was signed" in refusal(changed, alice.public())


def test_a_weak_digest_is_refused(alice: SigningKey):
    signed = alice.clearsign(TEXT, "--digest-algo", "SHA1", "--allow-weak-digest-algos")
    assert "no signature that this engine accepts" in refusal(signed, alice.public())


def test_two_signatures_are_refused_though_both_are_good(alice: SigningKey, gpg_homes: Path):
    second = SigningKey(gpg_homes / "second", "Second <second@example.com>")
    second.gpg("--import", input=alice.secret())
    signed = second.gpg("-u", second.fingerprint, "-u", alice.fingerprint, "--clearsign", input=TEXT)
    keyring = alice.public() + second.public()
    second.close()
    assert "no signature that this engine accepts" in refusal(signed, keyring)


def test_an_expired_key_is_refused(gpg_homes: Path):
    key = SigningKey(
        gpg_homes / "expired",
        "Old <old@example.com>",
        options=("--faked-system-time", "20200101T000000"),
        expires="2021-01-01",
    )
    signed = key.clearsign(TEXT, "--faked-system-time", "20200601T000000")
    message = refusal(signed, key.public())
    with pytest.raises(InvalidRequest, match="has expired"):
        read_key(key.public())
    key.close()
    assert message == f"{NAME} is signed by the expired key {key_id(message)}"


def test_a_revoked_key_is_refused(gpg_homes: Path):
    key = SigningKey(gpg_homes / "revoked", "Gone <gone@example.com>")
    signed = key.clearsign(TEXT)
    certificate = gpg_homes / "revoked" / "openpgp-revocs.d" / f"{key.fingerprint}.rev"
    key.gpg("--import", input=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    public = key.public()
    key.close()
    assert "is signed by the revoked key" in refusal(signed, public)
    with pytest.raises(InvalidRequest, match="is revoked"):
        read_key(public)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda signed: b"Source: evil\n\n" + signed,
        lambda signed: signed + b"\nSource: evil\n",
        lambda signed: signed + signed,
        lambda signed: signed.replace(b"Hash: SHA256", b"Source: evil"),
        lambda signed: signed.replace(b"\nSource", b"\n-----BEGIN PGP SIGNED MESSAGE-----\n\nSource"),
        lambda signed: signed.replace(b"SIGNATURE-----\n\n", b"SIGNATURE-----\nSource: \xff\n\n"),
        lambda signed: signed.rpartition(b"-----END")[0],
        lambda signed: b"-----BEGIN PGP SIGNED MESSAGE-----",
    ],
)
def test_anything_outside_the_one_signed_part_is_refused(alice: SigningKey, wrap):
    text = wrap(alice.clearsign(TEXT))
    assert NAME in refusal(text, alice.public())
    with pytest.raises(UploadRejected):
        signed_content(text, NAME)


def test_packed_data_beside_a_good_signature_is_refused(alice: SigningKey):
    message, _, armor = alice.clearsign(TEXT).partition(b"-----BEGIN PGP SIGNATURE-----\n\n")
    lines = [line for line in armor.split(b"\n") if line and not line.startswith((b"=", b"-"))]
    packed = _packet(8, b"\x01" + zlib.compress(_packet(11, b"b" + bytes(5 + 10_000_000)), wbits=-15))
    signature = base64.encodebytes(base64.b64decode(b"".join(lines)) + packed)
    text = b"%b-----BEGIN PGP SIGNATURE-----\n\n%b-----END PGP SIGNATURE-----\n" % (message, signature)
    assert "more in it than a signature" in refusal(text, alice.public())


def _packet(tag: int, body: bytes) -> bytes:
    """An OpenPGP packet in the new format with a length of four bytes (RFC 4880, 4.2.2)."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def test_a_public_key_is_read_armored_and_binary(alice: SigningKey):
    armored, binary = read_key(alice.public("--armor")), read_key(alice.public())
    assert armored == binary
    assert armored.fingerprint == alice.fingerprint
    assert armored.uid == "Alice <alice@example.com>"
    assert verify(alice.clearsign(TEXT), armored.content, NAME).content == TEXT


def test_a_secret_key_is_refused(alice: SigningKey):
    with pytest.raises(InvalidRequest, match="holds a secret key"):
        read_key(alice.secret())


def test_two_keys_at_once_are_refused(alice: SigningKey, mallory: SigningKey):
    with pytest.raises(InvalidRequest, match="must hold one OpenPGP key, not 2"):
        read_key(alice.public() + mallory.public())


@pytest.mark.parametrize("text", [b"", b"hello", b"\x99\x01\x0d\x04", b"x" * 2_000_000])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(InvalidRequest, match="key"):
        read_key(text)


def test_a_short_key_is_refused(gpg_homes: Path):
    key = SigningKey(gpg_homes / "short", "Short <short@example.com>", algorithm="rsa1024")
    with pytest.raises(InvalidRequest, match="too short with 1024 bits"):
        read_key(key.public())
    key.close()


def key_id(message: str) -> str:
    return message.rpartition(" ")[2]
