"""The ticket of the demo, landed by services that are processes of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ci_utils.apt.mirror import Mirror
from ci_utils.compute.nova_cloud import NovaCloud
from ci_utils.config import Config, OpenStackConfig
from cli.ticket import read_ticket
from demo.evidence import look
from demo.source import make_upload, throw_away_key
from tests.harness.openstack.glance import Glance
from tests.harness.openstack.swift import Swift
from tests.harness.services import PAGES, SERVICES, Stack

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.server,
    pytest.mark.timeout(2400),
]

PACKAGE = "hello"


@pytest.fixture(scope="module")
def landed(stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """The ticket as it ended, and what was uploaded."""
    directory = tmp_path_factory.mktemp("upload")
    config = Config.from_environment({"UCI_DATA_DIR": str(stack.data_dir)})
    mirror = Mirror(config.data_dir / "cache" / "apt", config.series, config.mirror)
    mirror.refresh()
    with throw_away_key() as key:
        upload = make_upload(PACKAGE, "+apart1", mirror=mirror, directory=directory, key=key)
        stack.command("uploader", "add", key.public_file)
        sent = stack.ubuntu_ci(
            *("-v", "1", "create_ticket", "-o", "me@example.com", "-s", upload.changes, "-a", PACKAGE)
        )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    return stack.wait_for_end(int(sent.stdout.split()[0]), 1500), upload, config


def test_every_service_serves_and_is_ready_by_itself(stack: Stack):
    for service in SERVICES:
        url = f"{stack.url(service)}/api/v1"
        assert list(requests.get(f"{url}/status", timeout=60).json()["services"]) == [service]
        assert requests.get(f"{url}/ready", timeout=60).json() == {"ready": True}


def test_the_ticket_of_the_demo_lands_and_all_that_the_demo_claims_is_true(stack: Stack, landed):
    ticket, upload, config = landed
    assert ticket["current_workflow_step"] == "1000", ticket["message"]

    findings = list(look(read_ticket(ticket), upload, url=stack.url(), config=config))

    assert len(findings) > 4
    assert [finding for finding in findings if not finding.holds] == []


def test_each_service_did_its_part_in_its_own_database(stack: Stack, landed):
    done = {}
    for service in SERVICES:
        status = stack.client(service).status()["services"][service]
        done[service] = status.get("requests", {}).get("completed")

    assert done == {
        "ticket_system": 1,
        "lander": 1,
        "ppa_assigner": None,
        "branch_source_builder": 1,
        "image_builder": 1,
        "test_runner": 1,
    }


def test_its_files_are_in_swift_and_its_image_in_glance(landed, swift_of_keystone: Swift, glance: Glance):
    ticket, *_ = landed
    (image,) = [artifact for artifact in ticket["artifacts"] if artifact["type"] == "IMAGE"]
    (image_id,) = re.findall(r"/images/([^/]+)\.qcow2", image["reference"])
    logs = [artifact["reference"] for artifact in ticket["artifacts"] if artifact["type"] == "LOGS"]

    assert (glance.images / image_id).stat().st_size > 1 << 20
    assert logs
    assert [log for log in logs if not log.startswith(swift_of_keystone.url)] == []


def test_its_tests_ran_on_a_machine_of_nova_that_is_gone(stack: Stack, landed, cloud: dict[str, str]):
    if "UCI_COMPUTE" not in cloud:
        pytest.skip("there is no Nova here")
    ticket, *_ = landed
    (job,) = stack.client("lander").get("job/", ticket_id=ticket["id"])["objects"]
    (test,) = [stage for stage in job["stages"] if stage["stage"] == "test"]

    assert test["result"]["results"]["runs_on"] == "nova RegionOne"
    (console,) = [artifact for artifact in ticket["artifacts"] if "console" in artifact["name"]]
    assert "login:" in requests.get(console["reference"], timeout=60).text
    assert NovaCloud(OpenStackConfig.from_environment(cloud).credentials).named("") == []


def test_the_pages_show_it_from_a_process_of_their_own(stack: Stack, landed):
    ticket, upload, _ = landed
    stack.start_pages()

    page = requests.get(f"{stack.url(PAGES)}/ticket/{ticket['id']}", timeout=60)

    assert page.status_code == 200
    assert upload.version in page.text
    assert "Complete" in page.text


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile


def test_no_secret_is_in_any_log_answer_or_command_line(stack: Stack, landed):
    ticket, *_ = landed
    secrets = {
        "database": re.findall(r":([0-9a-f]{32})@", stack.postgresql)[0],
        "secret key": stack.secret_key,
        "service token": stack.service_token,
        "operator's token": stack.operator_token,
        "key of signed URLs": stack.settings["CI_TEMPURL_SIGNING_KEY"],
        "password of the user in the cloud": stack.settings["OS_PASSWORD"],
    }
    seen = dict(stack.logs())
    assert {name for name, text in seen.items() if "POST" in text}, "the logs should show requests"
    for service in SERVICES:
        for path in ("status", "ready", "openapi.json"):
            seen[f"{service} {path}"] = (
                stack.client(service)._send("GET", f"{stack.url(service)}/api/v1/{path}").text
            )
    seen["ticket"] = str(ticket)
    for artifact in ticket["artifacts"]:
        if artifact["type"] == "LOGS":
            seen[artifact["name"]] = requests.get(artifact["reference"], timeout=60).text
    seen |= {f"command line {number}": line for number, line in enumerate(command_lines())}

    found = [
        (where, what) for where, text in seen.items() for what, secret in secrets.items() if secret in text
    ]

    assert found == []
    assert "signature=" not in "".join(stack.logs().values())


def test_all_processes_end_cleanly(stack: Stack, landed):
    assert set(stack.stop()) == {0}
