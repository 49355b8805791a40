"""The ticket system over real files, real signatures and an archive that the test decides."""

from __future__ import annotations

import pytest

from ci_utils.clients.lander import LanderClient
from ci_utils.data_store.local import LocalDataStores
from ci_utils.errors import CIError, NotFound
from ci_utils.hosting import ports
from tests.ci_utils.source_package.conftest import alice as alice
from tests.ci_utils.source_package.conftest import gpg_homes as gpg_homes
from tests.ci_utils.source_package.conftest import mallory as mallory
from tests.ci_utils.source_package.uploads import SigningKey
from tests.ticket_system.archives import KnownArchives
from tests.ticket_system.submission import Submission


class RecordingLander(LanderClient):
    """A lander that remembers what it was told; `error` is what it answers with instead."""

    def __init__(self) -> None:
        super().__init__("http://lander.example")
        self.requests: dict[str, dict[str, object]] = {}
        self.cancelled: list[str] = []
        self.error: CIError | None = None

    def start(self, parameters):
        if self.error:
            raise self.error
        self.requests[parameters["progress_trigger"]] = dict(parameters)

    def cancel(self, progress_trigger):
        if self.error:
            raise self.error
        if progress_trigger not in self.requests:
            raise NotFound("no such request")
        self.cancelled.append(progress_trigger)


@pytest.fixture
def lander(monkeypatch) -> RecordingLander:
    lander = RecordingLander()
    monkeypatch.setattr(ports, "lander", lambda: lander)
    return lander


@pytest.fixture(autouse=True)
def archives(monkeypatch) -> KnownArchives:
    archives = KnownArchives()
    monkeypatch.setattr(ports, "archives", lambda: archives)
    return archives


@pytest.fixture(autouse=True)
def stores(monkeypatch, tmp_path) -> LocalDataStores:
    stores = LocalDataStores(tmp_path / "data-store", "http://localhost:8000", b"key")
    monkeypatch.setattr(ports, "data_stores", lambda: stores)
    return stores


@pytest.fixture
def trusted(db: None, alice: SigningKey) -> SigningKey:
    """Alice's key, which the engine trusts."""
    from ticket_system.domain.uploaders import add_uploader

    add_uploader(alice.public())
    return alice


@pytest.fixture
def submission(submitter, trusted, stores) -> Submission:
    """Submits source packages as `ubuntu-ci` does, as the submitter alice."""
    return Submission(submitter, trusted, stores)
