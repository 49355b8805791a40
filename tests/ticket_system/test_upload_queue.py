"""Uploads by `dput`, file by file, that become tickets."""

from __future__ import annotations

import errno
import io
from collections.abc import Collection
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from ci_utils.archive.port import PublishedSource
from ci_utils.hosting import ports
from ci_utils.source_package.changes import SourceChanges
from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from ticket_system.domain import incoming, upload_queue
from ticket_system.domain.upload_queue import UploadQueue
from ticket_system.domain.uploaders import add_uploader
from ticket_system.models import IncomingFile, ListedFile, Ticket

HELLO = Upload()
NEXT = Upload(version="2.10-5")
MOIN = Upload(source="moin")


class Dput:
    """Sends files as dput does: PUT, no token, the .changes last."""

    def __init__(self, key: SigningKey) -> None:
        self._client = Client(SERVER_NAME="localhost")
        self.key = key

    def put(self, name: str, content: bytes):
        kind = "application/octet-stream"
        length = {"content-length": str(len(content))}  # Django's client leaves it out for empty bodies
        return self._client.put(f"/upload/{name}", content, content_type=kind, headers=length)

    def files(self, upload: Upload) -> dict[str, bytes]:
        return {**upload.contents(), upload.changes_name: self.key.clearsign(upload.changes())}

    def send(self, upload: Upload, *, first: tuple[str, ...] = (), left_out: tuple[str, ...] = ()):
        """Send all files; the last answer."""
        files = self.files(upload)
        names = [*first, *(name for name in files if name not in (*first, *left_out))]
        return [self.put(name, files[name]) for name in names][-1]


@pytest.fixture
def dput(trusted, lander) -> Dput:
    return Dput(trusted)


@pytest.fixture
def queue(stores, archives) -> UploadQueue:
    return UploadQueue(series=ports.config().series, stores=stores, archives=archives, broker=ports.broker())


def waiting(stores) -> list[str]:
    """Names of the files that wait, each of which is in the data store."""
    store = incoming.incoming_store(stores)
    assert sorted(store.list_files()) == sorted(file.place for file in IncomingFile.objects.all())
    return sorted(IncomingFile.objects.filter(ticket=None).values_list("name", flat=True))


def test_a_complete_upload_is_a_queued_ticket_of_who_signed_it(dput, stores):
    response = dput.send(HELLO)
    assert response.status_code == 201
    ticket = Ticket.objects.get()
    assert response.json() == {"file": HELLO.changes_name, "ticket": ticket.pk}
    assert ticket.step.label == "Queued"
    assert (ticket.owner, ticket.submitter) == ("alice@example.com", "alice@example.com")
    assert (ticket.title, ticket.series) == ("hello 2.10-4", ports.config().series)
    assert "Greet the world" in ticket.description
    store = stores.container(f"ticket.{ticket.pk}.sources")
    assert set(store.list_files()) == {*HELLO.contents(), HELLO.changes_name}
    assert waiting(stores) == []


@pytest.mark.parametrize("first", [HELLO.changes_name, HELLO.dsc_name])
def test_the_order_of_the_files_does_not_matter(dput, first):
    assert dput.send(HELLO, first=(first,)).json()["ticket"] == Ticket.objects.get().pk


def test_as_long_as_a_file_is_missing_there_is_no_ticket(dput, stores):
    response = dput.send(HELLO, left_out=(HELLO.dsc_name,))
    assert (response.status_code, response.json()["ticket"]) == (201, None)
    assert not Ticket.objects.exists()
    assert waiting(stores) == sorted({*HELLO.contents(), HELLO.changes_name} - {HELLO.dsc_name})
    assert dput.put(HELLO.dsc_name, HELLO.contents()[HELLO.dsc_name]).json()["ticket"]


def test_a_file_with_other_contents_is_not_that_file(dput):
    dput.put(HELLO.dsc_name, b"other contents")
    assert dput.send(HELLO, left_out=(HELLO.dsc_name,)).json()["ticket"] is None
    assert dput.put(HELLO.dsc_name, HELLO.contents()[HELLO.dsc_name]).json()["ticket"]


def test_the_same_file_again_is_kept_once(dput, stores):
    for _ in range(3):
        dput.put("hello_2.10.orig.tar.gz", b"the upstream sources")
    assert waiting(stores) == ["hello_2.10.orig.tar.gz"]


def test_what_another_upload_lists_too_stays_for_it(dput, stores):
    dput.send(NEXT, left_out=(NEXT.dsc_name,))
    assert dput.send(HELLO).json()["ticket"]
    assert "hello_2.10.orig.tar.gz" in waiting(stores)
    assert dput.put(NEXT.dsc_name, NEXT.contents()[NEXT.dsc_name]).json()["ticket"]
    assert waiting(stores) == []


def test_the_very_same_upload_again_is_the_same_ticket_while_that_is_open(dput):
    files = dput.files(HELLO)
    answers = [
        [dput.put(name, content) for name, content in files.items()][-1].json()["ticket"] for _ in (1, 2)
    ]
    assert answers[0] == answers[1]
    assert Ticket.objects.count() == 1


def test_the_very_same_upload_after_a_failure_is_a_new_ticket(dput, service):
    files = dput.files(HELLO)
    for name, content in files.items():
        dput.put(name, content)
    first = Ticket.objects.get().pk
    service.patch(f"updateticketstatus/{first}/", {"current_workflow_step": "999", "status": "999"})
    again = [dput.put(name, content) for name, content in files.items()][-1].json()["ticket"]
    assert again not in (first, None)


def assert_refused(response, status: int, sentence: str) -> None:
    """The sentence is in the body, and in the status line, which is all that dput shows."""
    assert response.status_code == status, response.content
    assert sentence in response.json()["error"]
    assert sentence in response.reason_phrase


def test_an_upload_that_another_request_takes_away_harms_no_other_file(dput, stores):
    dput.send(HELLO, left_out=(HELLO.dsc_name,))
    changes = IncomingFile.objects.get(name=HELLO.changes_name)
    incoming.incoming_store(stores).delete_file(changes.place)
    response = dput.put(HELLO.dsc_name, HELLO.contents()[HELLO.dsc_name])
    assert (response.status_code, response.json()["ticket"]) == (201, None)


def test_an_upload_that_is_forgotten_while_its_last_file_comes_is_not_there(dput, stores, monkeypatch):
    def find_and_forget(changes: SourceChanges):
        found = incoming.files_listed(changes)
        incoming.forget_files(IncomingFile.objects.filter(name=changes.filename), stores=stores)
        return found

    dput.send(HELLO, left_out=(HELLO.dsc_name,))
    monkeypatch.setattr(upload_queue, "files_listed", find_and_forget)
    response = dput.put(HELLO.dsc_name, HELLO.contents()[HELLO.dsc_name])
    assert_refused(response, 404, f"{HELLO.changes_name} is not here any more")
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("place", "error", "sentence"),
    [
        ("tempfile.TemporaryFile", OSError(errno.ENOSPC, "No space left on device"), "is full"),
        ("ticket_system.domain.incoming.keyring", OperationalError("gone"), "the database does not answer"),
    ],
)
def test_an_engine_without_space_or_database_asks_to_come_again(
    dput, stores, monkeypatch, place, error, sentence
):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(place, fail)
    assert_refused(dput.send(HELLO), 503, sentence)
    assert HELLO.changes_name not in waiting(stores)


@pytest.mark.django_db(transaction=True)
def test_the_database_is_not_held_while_the_archive_is_asked(dput, archives, monkeypatch):
    held = []

    def sources(archive: str) -> list[PublishedSource]:
        held.append(connection.in_atomic_block)
        return []

    monkeypatch.setattr(archives, "sources", sources)
    assert dput.send(HELLO).json()["ticket"]
    assert held
    assert not any(held)


def test_a_changes_of_a_key_that_is_not_trusted_is_refused_and_not_kept(dput, mallory, stores):
    dput.key = mallory
    assert_refused(dput.send(HELLO), 400, "which this engine does not trust")
    assert HELLO.changes_name not in waiting(stores)


def test_a_signer_whose_address_is_too_long_for_a_ticket_is_refused(dput, stores):
    with throw_away_key(f"Long <{'a' * 60}@{'b' * 50}.example.com>") as dput.key:
        add_uploader(dput.key.public())
        assert_refused(dput.send(HELLO), 400, "without an email address of at most 100 characters")
    assert HELLO.changes_name not in waiting(stores)


def test_an_unsigned_changes_is_refused(dput, stores):
    assert_refused(dput.put(HELLO.changes_name, HELLO.changes()), 400, "is not signed; sign it with: debsign")
    assert waiting(stores) == []


def test_a_version_that_is_not_higher_is_refused_to_the_uploader(dput, archives, stores):
    archives.published["hello"] = "2.11-1"
    assert_refused(dput.send(HELLO), 400, "hello 2.10-4 is not higher than the published version 2.11-1")
    assert not Ticket.objects.exists()
    assert HELLO.changes_name not in waiting(stores)


def test_a_dsc_that_tells_another_story_fails_the_ticket(dput):
    lying = Upload(dsc_fields={"Source": "other"})
    assert_refused(dput.send(lying), 400, "describes other 2.10-4")
    assert Ticket.objects.get().step.label == "Failed"


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "%2e%2e%2fetc%2fpasswd", "a%0d%0ab", "x" * 201])
def test_a_name_that_is_no_plain_one_is_refused(dput, stores, name):
    response = dput.put(name, b"x")
    assert response.status_code in (400, 404, 405)
    assert "\n" not in response.reason_phrase
    assert waiting(stores) == []


def test_a_changes_without_end_is_refused_before_it_is_read(dput):
    from ci_utils.source_package.control import MAX_BYTES

    assert_refused(dput.put(HELLO.changes_name, b"x" * (MAX_BYTES + 1)), 400, "is larger than")


def test_uploads_fill_no_more_space_than_the_setting_says(dput, settings, stores):
    settings.UPLOAD_QUEUE = type(settings.UPLOAD_QUEUE)(space=100 + incoming.FILE_BYTES, hours=1)
    assert dput.put("a.tar.gz", b"x" * 60).status_code == 201
    assert_refused(dput.put("b.tar.gz", b"x" * 60), 503, "no space for the 60 bytes of b.tar.gz")
    assert waiting(stores) == ["a.tar.gz"]


def test_files_without_contents_fill_the_space_too(dput, settings):
    settings.UPLOAD_QUEUE = type(settings.UPLOAD_QUEUE)(space=2 * incoming.FILE_BYTES, hours=1)
    statuses = [dput.put(f"a{number}.tar.gz", b"").status_code for number in range(5)]
    assert statuses == [201, 201, 201, 503, 503]


def test_an_engine_can_take_none(dput, settings):
    settings.UPLOAD_QUEUE = type(settings.UPLOAD_QUEUE)(space=0, hours=1)
    assert_refused(dput.put("a.tar.gz", b"x"), 404, "takes no uploads by dput")


def test_only_put_is_answered(dput):
    response = dput._client.get("/upload/a.tar.gz")
    assert (response.status_code, response["Allow"]) == (405, "PUT")


def test_what_stays_incomplete_is_removed(dput, queue, settings, stores):
    dput.send(HELLO, left_out=(HELLO.dsc_name,))
    queue.work_off(limits=settings.UPLOAD_QUEUE)
    assert len(waiting(stores)) == 3
    long_ago = timezone.now() - timedelta(hours=settings.UPLOAD_QUEUE.hours, seconds=1)
    IncomingFile.objects.update(received_at=long_ago)
    queue.work_off(limits=settings.UPLOAD_QUEUE)
    assert waiting(stores) == []


def test_a_file_is_looked_for_without_reading_the_uploads_that_do_not_list_it(dput, stores):
    dput.send(MOIN, left_out=(MOIN.dsc_name,))
    other = IncomingFile.objects.get(name=MOIN.changes_name)
    incoming.incoming_store(stores).put_file(other.place, io.BytesIO(b"not to be read as a .changes"))
    assert dput.send(HELLO, first=(HELLO.changes_name,)).json()["ticket"] == Ticket.objects.get().pk


def test_an_upload_that_waits_since_an_older_engine_becomes_a_ticket_all_the_same(dput, queue, settings):
    dput.send(HELLO, left_out=(HELLO.dsc_name,))
    ListedFile.objects.all().delete()
    dput.put(HELLO.dsc_name, HELLO.contents()[HELLO.dsc_name])
    queue.work_off(limits=settings.UPLOAD_QUEUE)
    assert Ticket.objects.get().step.label == "Queued"


def test_an_upload_that_cannot_be_made_a_ticket_holds_up_no_other_and_no_clean_up(
    dput, queue, settings, stores, archives, monkeypatch, caplog
):
    broken = {"hello", "moin"}

    def versions(archive: str, names: Collection[str]) -> dict[str, str]:
        if broken & set(names):
            raise ValueError("unexpected")
        return {}

    monkeypatch.setattr(archives, "versions", versions)
    for upload in (HELLO, MOIN):
        with pytest.raises(ValueError, match="unexpected"):
            dput.send(upload)
    dput.put("old.tar.gz", b"x")
    long_ago = timezone.now() - timedelta(hours=settings.UPLOAD_QUEUE.hours, seconds=1)
    IncomingFile.objects.filter(name="old.tar.gz").update(received_at=long_ago)
    broken.remove("moin")
    queue.work_off(limits=settings.UPLOAD_QUEUE)
    assert (Ticket.objects.get().title, Ticket.objects.get().step.label) == ("moin 2.10-4", "Queued")
    assert waiting(stores) == sorted(dput.files(HELLO))
    assert "ValueError: unexpected" in caplog.text


@pytest.mark.parametrize("killed_at", ["_ticket_of", "_queue"])
def test_what_a_killed_engine_left_half_done_is_finished(
    dput, queue, settings, stores, monkeypatch, killed_at
):
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(UploadQueue, killed_at, die)
        with pytest.raises(KeyboardInterrupt):
            dput.send(HELLO)
    queue.work_off(limits=settings.UPLOAD_QUEUE)
    assert Ticket.objects.get().step.label == "Queued"
    assert waiting(stores) == []
