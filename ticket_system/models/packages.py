"""Source and binary packages, and uploads of source packages (the "project manager")."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef, Q

from ci_utils.api.tokens import Principal
from ticket_system.models.visibility import visible_to


class SourcePackageQuerySet(models.QuerySet["SourcePackage"]):
    """Selections of source packages."""

    def visible_to(self, principal: Principal) -> SourcePackageQuerySet:
        """All but those that are known from hidden uploads only."""
        if principal.sees_all:
            return self.all()
        uploads = SourcePackageUpload.objects.filter(sourcepackage=OuterRef("pk"))
        binaries = BinaryPackage.objects.filter(sourcepackage=OuterRef("pk"))
        return self.filter(Exists(uploads.visible_to(principal)) | Exists(binaries) | ~Exists(uploads))


class SourcePackageUploadQuerySet(models.QuerySet["SourcePackageUpload"]):
    """Selections of source package uploads."""

    def visible_to(self, principal: Principal) -> SourcePackageUploadQuerySet:
        """Those of visible tickets, and the principal's own that are of no ticket yet."""
        if principal.sees_all:
            return self.all()
        own = Q(subticket__isnull=True, submitter=principal.name)
        return self.filter(visible_to(principal, "subticket__ticket__") | own)


class SourcePackage(models.Model):
    """A source package of the archive; known here from its first upload or from project data."""

    name = models.CharField(max_length=200, unique=True)

    objects = SourcePackageQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BinaryPackage(models.Model):
    """A binary package and the source it is built from, as project data has it.

    `seeded`: one of the packages that are monitored and tested.
    """

    name = models.CharField(max_length=200, unique=True)
    sourcepackage = models.ForeignKey(SourcePackage, models.CASCADE, related_name="binaries")
    version = models.CharField(max_length=200, blank=True)
    seeded = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SourcePackageUpload(models.Model):
    """One version of a source package that somebody uploads.

    `submitter` is the name of the token that made it.
    """

    sourcepackage = models.ForeignKey(SourcePackage, models.PROTECT, related_name="uploads")
    version = models.CharField(max_length=200)
    submitter = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SourcePackageUploadQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.sourcepackage} {self.version}"
