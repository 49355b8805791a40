"""Tokens that clients show. Only a digest is kept: a stolen database opens nothing."""

from __future__ import annotations

from django.db import models


class ApiToken(models.Model):
    """A client's token by its SHA-256; `scopes` is a list of `Scope` values."""

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
