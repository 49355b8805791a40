"""Files that came by `dput` and are not yet those of a ticket."""

from __future__ import annotations

from django.db import models

from ticket_system.models.tickets import Ticket


class IncomingFile(models.Model):
    """One file; `sha256` is empty while it comes in.

    A .changes with a good signature has the email address of its `signer`,
    and once all its files were there, the `ticket` that it became.
    """

    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)
    signer = models.CharField(max_length=254, blank=True)
    ticket = models.ForeignKey(Ticket, models.CASCADE, null=True, related_name="incoming_files")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["name", "sha256"], name="incoming_file_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        """Its name in the data store: what two people call the same can be two things."""
        return f"file-{self.pk}"


class ListedFile(models.Model):
    """A file that a .changes lists: who waits for a file is known without reading every .changes."""

    changes = models.ForeignKey(IncomingFile, models.CASCADE, related_name="listed")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["name", "sha256"], name="listed_file_name")]

    def __str__(self) -> str:
        return self.name
