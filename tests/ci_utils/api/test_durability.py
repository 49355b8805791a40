"""Which answers promise that a loss of power does not undo them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.utils import timezone

from ppa_assigner.models import PPA
from ticket_system.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)

DRAFT = {"title": "Greet the world", "owner": "alice@example.com"}


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are synced from now on."""
    names: list[str] = []
    really = os.fdatasync

    def fdatasync(file: int) -> None:
        names.append(Path(f"/proc/self/fd/{file}").readlink().name)
        really(file)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return names


@pytest.fixture(autouse=True)
def journal() -> str:
    """The name of the file that a commit is written to."""
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL syncs every commit itself")
    return f"{Path(connection.settings_dict['NAME']).name}-wal"


def test_what_people_write_is_on_the_disk_before_the_answer(
    submitter, synced: list[str], journal: str
) -> None:
    created = submitter.post("ticket/", DRAFT)
    assert created.status_code == 201
    assert synced == [journal]
    assert submitter.patch(f"ticket/{created.json()['id']}/", {"title": "Greet all"}).status_code == 200
    assert len(synced) == 2


def test_what_dput_sends_is_on_the_disk_before_the_answer(nobody, synced: list[str], journal: str) -> None:
    sent = nobody._client.put("/upload/hello_1.0.tar.xz", b"x", headers={"content-length": "1"})
    assert sent.status_code == 201
    assert synced[-1] == journal


def test_reading_and_what_is_refused_sync_nothing(submitter, synced: list[str]) -> None:
    assert submitter.get("ticket/").status_code == 200
    assert submitter.post("ticket/", {}).status_code == 400
    assert synced == []


def test_the_progress_that_services_report_does_not_wait_for_the_disk(service, synced: list[str]) -> None:
    ticket = Ticket.objects.create(**DRAFT, series="bookworm", submitter="a", current_workflow_step="100")
    told = service.patch(f"updateticketstatus/{ticket.pk}/", {"status": "100", "message": "building"})
    assert (told.status_code, synced) == (200, [])


def test_who_holds_an_archive_is_on_the_disk_before_anything_is_put_into_it(
    service, synced: list[str]
) -> None:
    ppa = PPA.objects.create(name="ppa:local/ci_pool-001", state="free", changed_at=timezone.now())
    assert service.post("ppa/", {"ticket_id": 3}).status_code == 201
    assert len(synced) == 1
    assert service.patch(f"ppa/{ppa.pk}/", {"state": "dirty"}).status_code == 200
    assert len(synced) == 2
