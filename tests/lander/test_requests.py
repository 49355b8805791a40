"""What the lander asks, asked of the services themselves: they and the stages agree."""

from __future__ import annotations

import pytest

from ci_utils.data_store.local import LocalDataStores
from ci_utils.hosting import ports
from ci_utils.work_queue.models import WorkRequest
from lander.domain.stages import STAGES
from tests.lander.conftest import BUILT, PARAMETERS

pytestmark = pytest.mark.django_db

OPERATIONS = {"build": "build_source", "image": "build_image", "test": "test_image"}


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    stores = LocalDataStores(tmp_path, "http://127.0.0.1:8000", b"key")
    stores.open("ticket.12", "sources")
    monkeypatch.setattr(ports, "data_stores", lambda: stores)
    return {
        **PARAMETERS,
        "job_id": 1,
        "ticket_id": 12,
        "archive": "ppa:local/archive",
        "cancel_url": "http://localhost/api/v1/job/1/",
        "ppa": "ppa:local/ci_pool-001",
        "builds": BUILT["builds"],
        "image_id": "f56b8296dde453a62758d6657e804e5d",
    }


@pytest.mark.parametrize("base_image", ["", "debian-12"])
@pytest.mark.parametrize("stage", OPERATIONS)
def test_every_service_accepts_what_its_stage_asks(service, parameters, stage, base_image):
    request = next(s for s in STAGES if s.name == stage).request(parameters | {"base_image": base_image})
    answer = service.post(f"{OPERATIONS[stage]}/", request)
    assert (answer.status_code, answer.json().get("error")) == (202, None)
    assert WorkRequest.objects.get().key == f"lander-1-{stage}"
