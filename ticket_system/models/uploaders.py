"""Whose signature an upload must carry."""

from __future__ import annotations

from django.db import models


class TrustedUploader(models.Model):
    """A person by the OpenPGP key that the operator trusts; `key` in OpenPGP's binary form."""

    fingerprint = models.CharField(max_length=64, unique=True)
    uid = models.CharField(max_length=1000)
    key = models.BinaryField()
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["fingerprint"]

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.uid}"
