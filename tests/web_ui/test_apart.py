"""The pages as a process of their own, which asks the other services at their addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.end_to_end.engine import Engine, running_engine, until

pytestmark = pytest.mark.slow

TOKEN = "a-token-that-both-processes-know"
ASKED = ("ticket_system", "lander", "ppa_assigner", "branch_source_builder", "image_builder", "test_runner")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with running_engine(tmp_path_factory.mktemp("services"), UCI_SERVICE_TOKEN=TOKEN) as engine:
        yield engine


@pytest.fixture(scope="module")
def pages(engine: Engine, tmp_path_factory):
    addresses = {f"UCI_{name.upper()}_URL": engine.url for name in ASKED}
    directory: Path = tmp_path_factory.mktemp("pages")
    with running_engine(
        directory, UCI_SERVICES="web_ui", UCI_SERVICE_TOKEN=TOKEN, UCI_SECRET_KEY="another", **addresses
    ) as pages:
        yield pages


def test_pages_show_what_the_services_have(engine, pages):
    ticket = engine.client.post("ticket/", {"title": "Greet from afar", "owner": "a@example.com"})
    hidden = engine.client.post(
        "ticket/", {"title": "Quokka from afar", "owner": "a@example.com", "private": True}
    )
    shown = requests.get(pages.url, timeout=60).text
    assert "Greet from afar" in shown
    assert "Quokka" not in shown
    assert requests.get(f"{pages.url}/ticket/{ticket['id']}", timeout=60).status_code == 200
    assert requests.get(f"{pages.url}/ticket/{hidden['id']}", timeout=60).status_code == 404
    assert requests.get(f"{pages.url}/api/v1/ticket/", timeout=60).status_code == 404


def test_the_page_of_the_engine_says_who_is_away(engine, pages):
    # Who does not answer at once counts as away, and a busy machine may take longer.
    until(lambda: requests.get(f"{pages.url}/engine", timeout=60).text.count("ready<") == len(ASKED) + 1)
    engine.stop()
    try:
        page = requests.get(f"{pages.url}/engine", timeout=60)
        assert page.status_code == 200
        assert page.text.count("away</span>") == len(ASKED)
        assert requests.get(pages.url, timeout=60).status_code == 503
    finally:
        engine.start()
