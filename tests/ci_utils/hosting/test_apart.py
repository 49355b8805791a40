"""A service as processes of its own: what it needs is looked at before it works, and named."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from tests.end_to_end.engine import until
from tests.harness.fixtures import postgresql as postgresql
from tests.harness.fixtures import rabbitmq as rabbitmq
from tests.harness.processes import free_port, status_of_one_asked_again_and_again
from tests.harness.services import Stack, Unit

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(900)]

Answer = subprocess.CompletedProcess[str]
Run = Callable[..., Answer]


@pytest.fixture(scope="module")
def stack(postgresql: str, rabbitmq: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The ticket system and the PPA assigner serve; their databases are migrated, those of others are not."""
    settings = {"UCI_WEB_PROCESSES": "2"}
    stack = Stack(tmp_path_factory.mktemp("apart"), postgresql, rabbitmq, settings)
    stack.prepare(["ticket_system", "ppa_assigner"])
    units = [stack.unit(service, "serve") for service in ("ticket_system", "ppa_assigner")]
    try:
        for unit in units:
            unit.wait()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def run(stack: Stack) -> Run:
    """Start a process of the PPA assigner with other settings and see it end."""

    def run(command: str, *arguments: str, **settings: str | None) -> Answer:
        soon = {"UCI_START_TIMEOUT": "1"}  # what it lacks never comes
        environment = {**stack.environment("ppa_assigner"), **soon, **settings}
        return subprocess.run(
            [sys.executable, "-m", "ci_utils.hosting.main", command, *arguments],
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


def one_sentence(answer: Answer) -> str:
    """What an operator reads last; there is no trace."""
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    return answer.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", [("serve",), ("worker", "ppa_assigner")])
def test_what_processes_must_agree_on_must_be_set(run: Run, command: tuple[str, ...]):
    assert "UCI_SECRET_KEY must be set" in one_sentence(run(*command, UCI_SECRET_KEY=None))


def test_a_database_that_does_not_answer_is_named(run: Run):
    away = f"postgresql://uci:very-hidden@127.0.0.1:{free_port()}/postgres"

    sentence = one_sentence(run("serve", UCI_DATABASE=away))

    assert "UCI_DATABASE" in sentence
    assert "very-hidden" not in sentence


def test_a_database_that_was_not_migrated_is_named_with_the_command(run: Run, stack: Stack):
    sentence = one_sentence(run("worker", "lander", UCI_DATABASE=stack.database("lander")))

    assert "lacks" in sentence
    assert "run uci-engine migrate" in sentence


def test_a_broker_that_does_not_answer_is_named(run: Run):
    away = f"amqp://guest:very-hidden@127.0.0.1:{free_port()}//"

    sentence = one_sentence(run("serve", UCI_BROKER=away))

    assert "does not answer (UCI_BROKER)" in sentence


@pytest.mark.parametrize(("old", "new"), [(":guest@", ":very-hidden@"), ("//guest:", "//nobody:")])
def test_a_broker_that_refuses_the_user_is_named_without_the_password(
    run: Run, stack: Stack, old: str, new: str
):
    answer = run("serve", UCI_BROKER=stack.broker.replace(old, new))

    assert "UCI_BROKER: the message broker refuses this user" in one_sentence(answer)
    assert "very-hidden" not in answer.stdout + answer.stderr


def test_a_virtual_host_that_the_broker_has_not_is_named(run: Run, stack: Stack):
    answer = run("serve", UCI_BROKER=f"{stack.broker.removesuffix('/')}nowhere")

    assert "UCI_BROKER: the message broker refuses this virtual host" in one_sentence(answer)


def test_a_data_directory_that_cannot_be_written_is_named(run: Run, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "archives").write_text("a file where a directory is needed")

    assert "UCI_DATA_DIR" in one_sentence(run("serve", UCI_DATA_DIR=str(tmp_path / "data")))


def test_a_service_that_does_not_answer_is_named(run: Run, stack: Stack):
    answer = run("worker", "ticket_system", UCI_DATABASE=stack.database("ticket_system"))

    assert f"UCI_LANDER_URL: {stack.url('lander')} does not answer" in one_sentence(answer)


def test_an_address_that_leads_to_another_service_is_named(run: Run, stack: Stack):
    answer = run(
        "worker",
        "ticket_system",
        UCI_DATABASE=stack.database("ticket_system"),
        UCI_LANDER_URL=stack.url("ppa_assigner"),
    )

    assert "does not host lander, but ppa_assigner" in one_sentence(answer)


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def test_an_address_that_leads_to_no_engine_is_named(run: Run, stack: Stack):
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        answer = run(
            "worker",
            "ticket_system",
            UCI_DATABASE=stack.database("ticket_system"),
            UCI_LANDER_URL=url,
        )
        server.shutdown()

    assert f"UCI_LANDER_URL: {url} is no part of an engine" in one_sentence(answer)


def test_a_service_token_that_differs_is_named_and_not_shown(run: Run, stack: Stack):
    answer = run(
        "worker",
        "ticket_system",
        UCI_DATABASE=stack.database("ticket_system"),
        UCI_LANDER_URL=stack.url("ppa_assigner"),
        UCI_SERVICE_TOKEN="very-hidden",
    )

    assert "UCI_SERVICE_TOKEN" in one_sentence(answer)
    assert "very-hidden" not in answer.stdout + answer.stderr


def test_a_port_in_use_is_named(run: Run, stack: Stack):
    address = stack.url().removeprefix("http://")

    assert f"cannot listen on {address}" in one_sentence(run("serve", "--listen", address))


def test_a_service_serves_its_own_resources_and_no_other(stack: Stack):
    assert requests.get(f"{stack.url('ppa_assigner')}/api/v1/ppa/", timeout=100).status_code == 200
    assert requests.get(f"{stack.url('ppa_assigner')}/api/v1/ticket/", timeout=100).status_code == 404


def test_only_the_ticket_system_serves_files(stack: Stack):
    (stack.data_dir / "archives").mkdir(exist_ok=True)
    paths = {
        service: requests.get(f"{stack.url(service)}/data/a/b", timeout=100).json().get("error", "")
        if service == "ticket_system"
        else requests.get(f"{stack.url(service)}/data/a/b", timeout=100).headers["Content-Type"]
        for service in ("ticket_system", "ppa_assigner")
    }

    assert "there are no files under a" in paths["ticket_system"]
    assert paths["ppa_assigner"].startswith("text/html")


def test_the_access_log_has_no_signatures_and_no_control_characters(stack: Stack):
    (unit,) = stack.running("ticket_system", "serve")
    requests.get(f"{stack.url()}/data/a/b%0aFORGED?expires=1&signature=very-hidden", timeout=100)

    until(lambda: "/data/a/b%0AFORGED" in unit.printed())  # it is written after the answer is sent
    (line,) = [line for line in unit.printed().splitlines() if "/data/a/b%0AFORGED" in line]
    assert "very-hidden" not in unit.printed()
    assert " GET " in line


def test_it_ends_on_sigterm_with_the_request_that_it_is_answering_answered(stack: Stack):
    (unit,) = stack.running("ppa_assigner", "serve")
    assert unit.stop(signal.SIGTERM) == 0

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{stack.url('ppa_assigner')}/api/v1/status", timeout=5)
    again = stack.unit("ppa_assigner", "serve")
    again.wait()


@pytest.mark.parametrize("command", [("serve",), ("worker", "ppa_assigner")])
def test_it_ends_well_however_often_it_is_asked_to(stack: Stack, command: tuple[str, ...]):
    settings = {**stack.environment("ppa_assigner"), "UCI_LISTEN": f"127.0.0.1:{free_port()}"}
    unit = Unit("ppa_assigner", command, settings, stack.directory / f"asked-{command[0]}.log")
    unit.start()
    unit.wait()
    assert unit.process

    assert status_of_one_asked_again_and_again(unit.process) == 0, unit.printed()


def test_two_migrations_at_once_are_one(stack: Stack):
    def migrate(number: int) -> Unit:
        log = stack.directory / f"migrate-{number}.log"
        unit = Unit("test_runner", ("migrate",), stack.environment("test_runner"), log)
        unit.start()
        return unit

    units = [migrate(number) for number in range(3)]
    statuses = [unit.process.wait(600) for unit in units if unit.process]

    applied = [unit.printed().count("Applying ") for unit in units]
    assert statuses == [0, 0, 0], [unit.printed() for unit in units]
    assert sorted(applied)[:2] == [0, 0]
    assert max(applied) > 1
