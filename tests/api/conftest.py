"""A database that has something of everything, so that the walks over the API meet more than 404."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from django.utils import timezone

from ci_utils.hosting import ports
from ci_utils.image_store.port import Image
from lander.models import ChildJob, ConsoleLine, MasterJob
from ppa_assigner.models import PPA
from tests.ci_utils.image_store.contract import make_image
from ticket_system.models import (
    BinaryPackage,
    SourcePackage,
    SourcePackageUpload,
    SubTicket,
    SubTicketArtifact,
    Ticket,
    TicketArtifact,
)

#: In everything that a private ticket brings or leaves behind; found in no answer to others.
SECRET = "quokka"


class Landed:
    """A ticket with everything that comes of it, made as the engine makes it."""

    def __init__(self, *, submitter: str, private: bool, word: str) -> None:
        stores, now = ports.data_stores(), timezone.now()
        self.word = word
        self.ticket = Ticket.objects.create(
            owner=f"{word}@example.com",
            title=f"Land {word}",
            submitter=submitter,
            private=private,
            series=ports.config().series,
        )
        self.container = f"ticket.{self.ticket.pk}.sources"
        self.store = stores.open(self.container, public=not private)
        self.file = f"{word}.log"
        url = self.store.put_file(self.file, f"{word} was here\n".encode())
        self.image = self._image()
        self.published = self._package()
        self.package = SourcePackage.objects.create(name=word)
        upload = self.upload = SourcePackageUpload.objects.create(sourcepackage=self.package, version="1.0-1")
        self.subticket = SubTicket.objects.create(ticket=self.ticket, source_package_upload=upload)
        file = TicketArtifact.objects.create(ticket=self.ticket, name=self.file, type="LOGS", reference=url)
        image = TicketArtifact.objects.create(
            ticket=self.ticket, name=word, type="IMAGE", reference=ports.image_store().url(self.image.id)
        )
        part = SubTicketArtifact.objects.create(
            subticket=self.subticket, name=self.file, type="SPU", reference=url
        )
        #: All rows that an address can name.
        self.rows = [self.ticket, self.package, upload, self.subticket, file, image, part]
        self.job = MasterJob.objects.create(
            ticket_id=self.ticket.pk,
            progress_trigger=f"ticket-{word}",
            parameters={"source_packages": [url]},
            private=private,
            state=MasterJob.State.RUNNING,
            started_at=now,
        )
        self.rows.append(self.job)
        child = ChildJob.objects.create(
            master=self.job, stage="build", state=ChildJob.State.RUNNING, parameters={"word": word}
        )
        ConsoleLine.objects.create(child=child, written_at=now, text=f"builds {word}")

    def _image(self) -> Image:
        """The image of the ticket; its disk holds the word as it is."""
        with tempfile.TemporaryDirectory() as directory:
            disk = Path(directory) / "disk.qcow2"
            make_image(disk, self.word.encode())
            return ports.image_store().upload(f"ticket-{self.word}", disk, public=not self.ticket.private)

    def _package(self) -> Path:
        """What the ticket built, in an archive of the pool."""
        file = ports.config().data_dir / f"archives/local/ci_pool-001/pool/{self.word}.deb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{self.word} in a package\n")
        return file

    def forget(self) -> None:
        """Take the files away; the database forgets by itself."""
        self.store.delete(recursive=True)
        ports.image_store().delete(self.image.id)
        self.published.unlink()


@pytest.fixture
def public_ticket(db: None):
    """A ticket of alice that everybody sees."""
    landed = Landed(submitter="alice", private=False, word="numbat")
    BinaryPackage.objects.create(
        sourcepackage=landed.package, name="numbat-bin", version="1.0-1", seeded=True
    )
    PPA.objects.create(
        name="ppa:local/ci_pool-001", state="reserved", ticket_id=landed.ticket.pk, changed_at=timezone.now()
    )
    yield landed
    landed.forget()


@pytest.fixture
def private_ticket(db: None, public_ticket: Landed):
    """A ticket of alice that only she and operators see, beside one that everybody sees."""
    landed = Landed(submitter="alice", private=True, word=SECRET)
    yield landed
    landed.forget()
