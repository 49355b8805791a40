"""Whose uploads are accepted: the OpenPGP keys that the operator trusts."""

from __future__ import annotations

from django.db import transaction

from ci_utils.errors import NotFound
from ci_utils.source_package.keys import read_key
from ticket_system.models import TrustedUploader


def add_uploader(text: bytes) -> TrustedUploader:
    """Trust one public key, armored or binary; the same key again replaces it (a new expiry date).

    Raises `InvalidRequest` for anything that is not one usable public key.
    """
    key = read_key(text)
    with transaction.atomic():
        uploader, _ = TrustedUploader.objects.update_or_create(
            fingerprint=key.fingerprint, defaults={"uid": key.uid[:1000], "key": key.content}
        )
    return uploader


def remove_uploader(fingerprint: str) -> None:
    """Trust a key no longer; `NotFound` if it is not trusted."""
    wanted = fingerprint.replace(" ", "").removeprefix("0x").upper()
    removed, _ = TrustedUploader.objects.filter(fingerprint=wanted).delete()
    if not removed:
        raise NotFound(f"no trusted uploader has the fingerprint {fingerprint[:80]}; see: uploader list")


def keyring() -> bytes:
    """All trusted keys as one OpenPGP keyring."""
    return b"".join(bytes(key) for key in TrustedUploader.objects.values_list("key", flat=True))
