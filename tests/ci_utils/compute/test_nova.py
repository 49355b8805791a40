"""Machines in a real Nova, whose host emulates them, from images in a real Glance."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ci_utils.compute import nova_owner, ssh
from ci_utils.compute.directories import MachineDirectories
from ci_utils.compute.nova import NovaCompute
from ci_utils.compute.nova_cloud import NovaCloud
from ci_utils.compute.nova_owner import Owner
from ci_utils.config import Credentials, GlanceConfig, NovaConfig, OpenStackConfig
from ci_utils.disk_image import qcow2
from ci_utils.disk_image.customise import customise
from ci_utils.errors import Cancelled, ConfigurationError, Unavailable
from ci_utils.image_store.glance import GlanceImageStore
from tests.ci_utils.compute.contract import BOOT_SECONDS, ComputeContract, never
from tests.ci_utils.disk_image.cached_base import cached_base_image, host_mirror
from tests.ci_utils.image_store.contract import make_image
from tests.harness.breaking_proxy import Fault, breaking_proxy
from tests.harness.openstack.nova import Nova

pytestmark = [pytest.mark.server, pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def user(nova: Nova) -> dict[str, str]:
    """The settings of a user whose project has nothing but what this module puts there."""
    return nova.new_user()


def credentials_of(settings: dict[str, str]) -> Credentials:
    return OpenStackConfig.from_environment(settings).credentials


def compute_of(settings: dict[str, str], work_dir: Path) -> NovaCompute:
    config = NovaConfig.from_environment(settings)
    return NovaCompute(credentials_of(settings), config, work_dir, host_mirror())


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machines")


@pytest.fixture(scope="module")
def compute(user: dict[str, str], work_dir: Path) -> NovaCompute:
    return compute_of(user, work_dir)


@pytest.fixture(scope="module")
def cloud(user: dict[str, str]) -> NovaCloud:
    """Nova as the tests look at it."""
    return NovaCloud(credentials_of(user))


def images_of(settings: dict[str, str], work_dir: Path) -> GlanceImageStore:
    config = GlanceConfig.from_environment(settings)
    credentials = config.credentials(OpenStackConfig.from_environment(settings))
    return GlanceImageStore(credentials, work_dir / "cache", config.cache_bytes, "http://127.0.0.1/images")


@pytest.fixture(scope="module")
def images(user: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> GlanceImageStore:
    return images_of(user, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def image_id(images: GlanceImageStore) -> str:
    """A base image for clouds, in Glance."""
    return images.upload("base", cached_base_image(for_cloud=True)).id


@pytest.fixture(scope="module")
def broken_image_id(images: GlanceImageStore, image_id: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image without a kernel."""
    directory = tmp_path_factory.mktemp("broken")
    path = directory / "broken.qcow2"
    qcow2.create_overlay(path, images.fetch(image_id, directory))
    with (directory / "log").open("wb") as log:
        customise(path, ["rm", "/vmlinuz", "/initrd.img"], log=log, timeout=300)
    return images.upload("broken", path).id


class TestNovaCompute(ComputeContract):
    """The contract, on Nova."""

    def test_the_machine_says_where_it_runs(self, instance):
        assert instance.runs_on == "nova RegionOne"

    def test_apt_sees_only_what_the_tests_need(self, ssh):
        assert ssh("apt-cache --names-only search '^jq$'") == ""

    def test_cloud_init_went_through(self, ssh):
        assert "status: done" in ssh("cloud-init status")

    def test_no_key_pair_is_left_in_nova(self, instance, cloud):
        assert cloud.keys("") == {}


def test_a_machine_is_gone_afterwards_whatever_happened(compute, cloud, image_id, work_dir):
    def there() -> bool:
        return bool(cloud.named("gone-"))

    with (
        pytest.raises(Cancelled),
        compute.boot(image_id, name="gone-1", timeout=BOOT_SECONDS, cancelled=there),
    ):
        pytest.fail("it booted")
    assert cloud.named("gone-") == []
    assert cloud.keys("") == {}
    assert not list(work_dir.glob("gone-*"))


@pytest.fixture
def abandoned(cloud: NovaCloud, user: dict[str, str], image_id: str) -> Iterator[Callable[..., str]]:
    """Makes servers as a process does that is killed then; gives their ids."""
    made: list[str] = []
    options = {
        "image_id": image_id,
        "flavor_id": cloud.flavors()["too.large"],  # they need not run
        "network_id": user["EPHEMERAL_CLOUD_NET_ID"],
        "user_data": "",
        "key": "",
    }

    def make(name: str, metadata: dict[str, str]) -> str:
        made.append(cloud.create(name, metadata=metadata, **options))
        return made[-1]

    yield make
    for server_id in made:
        cloud.delete(server_id)


def test_what_a_dead_process_left_is_swept_by_name(compute, cloud, work_dir, abandoned, tmp_path):
    public_key = ssh.new_key(tmp_path, "left").with_suffix(".pub").read_text()
    here = MachineDirectories(work_dir).id
    (work_dir / "test-old.1~abc").mkdir()
    (work_dir / "test-old.1~abc" / "lock").touch()
    cloud.add_key("test-old-1-abc", public_key)
    cloud.add_key("test-other-abc", public_key)
    dead = abandoned("test-old.1", Owner("test-old.1~abc", here).marks())
    other_name = abandoned("test-new.1", Owner("test-new.1~abc", here).marks())
    elsewhere = abandoned("test-old.2", Owner("test-old.2~abc", "another host").marks())
    foreign = abandoned("test-old.3", {})
    assert compute.sweep("test-old.") == ["test-old.1"]
    left = {server.id for server in cloud.named("") if server.id != dead}
    assert left == {other_name, elsewhere, foreign}
    assert set(cloud.keys("")) == {"test-other-abc"}
    cloud.remove_key("test-other-abc")
    assert not list(work_dir.glob("test-old*"))


def test_a_process_of_another_host_is_dead_after_its_silence(work_dir):
    directories, now = MachineDirectories(work_dir), 1_000_000
    marks = {**Owner("x~abc", "another host").marks(), nova_owner.ALIVE_AT: f"{now}"}
    assert not nova_owner.was_left(marks, directories, now=now + nova_owner.SILENT_SECONDS)
    assert nova_owner.was_left(marks, directories, now=now + nova_owner.SILENT_SECONDS + 1)
    assert not nova_owner.was_left({**marks, nova_owner.ALIVE_AT: "never"}, directories, now=now)
    assert not nova_owner.key_was_left("2026-11-23T08:00:00.000000", now=1795420800.0 + 60)
    assert nova_owner.key_was_left("2026-11-23T08:00:00.000000", now=1795420800.0 + 3600)


def test_a_cloud_that_never_has_room_is_not_waited_for_longer_than_set(user, image_id, cloud, tmp_path):
    large = compute_of({**user, "UCI_NOVA_FLAVOR": "too.large", "UCI_NOVA_WAIT": "1"}, tmp_path)
    with (
        pytest.raises(Unavailable, match="no host of the cloud has room for a machine of this flavor"),
        large.boot(image_id, name="large", timeout=BOOT_SECONDS, cancelled=never),
    ):
        pytest.fail("it booted")
    assert cloud.named("large") == []


def test_a_key_whose_answer_was_lost_does_not_stand_in_the_way_of_the_next_try(
    nova, user, image_id, cloud, tmp_path, monkeypatch
):
    """It is lost with the connection, on the way through a proxy to a cloud that has no room then."""
    monkeypatch.setattr("ci_utils.compute.nova.ROOM_SECONDS", 0.1)
    port = urlsplit(nova.url).port
    assert port
    with breaking_proxy(port) as proxy:
        nova.keystone.register("compute", "nova", f"http://127.0.0.1:{proxy.port}/v2.1", region="lossy")
        settings = {**user, "OS_REGION_NAME": "lossy", "UCI_NOVA_FLAVOR": "too.large", "UCI_NOVA_WAIT": "20"}
        lossy = compute_of(settings, tmp_path)
        lossy.check()
        proxy.break_with(Fault(received=10))
        with (
            pytest.raises(Unavailable, match="no host of the cloud has room"),
            lossy.boot(image_id, name="lossy", timeout=BOOT_SECONDS, cancelled=never),
        ):
            pytest.fail("it booted")
        assert proxy.faults == []
    assert cloud.keys("") == {}


def test_a_quota_that_is_used_up_is_named(nova, tmp_path):
    user = {**nova.new_user(), "UCI_NOVA_WAIT": "1"}
    limited = compute_of(user, tmp_path)
    image = images_of(user, tmp_path).upload("small", make_image(tmp_path / "small.qcow2", b"x"))
    project = nova.keystone.project_id(user)
    nova.ask("PUT", f"os-quota-sets/{project}", {"quota_set": {"instances": 0}})
    with (
        pytest.raises(Unavailable, match="project's quota in Nova is used up: Quota exceeded for instances"),
        limited.boot(image.id, name="quota", timeout=BOOT_SECONDS, cancelled=never),
    ):
        pytest.fail("it booted")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"UCI_NOVA_FLAVOR": "m9.none"}, "UCI_NOVA_FLAVOR: there is no flavor m9.none; this cloud has m1"),
        ({"OS_PASSWORD": "wr0ng-one"}, "OS_USERNAME and OS_PASSWORD: Keystone does not accept"),
        ({"OS_REGION_NAME": "atlantis"}, "OS_REGION_NAME: Keystone knows no Nova"),
    ],
)
def test_a_wrong_setting_is_named(user, tmp_path, change, complaint):
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        compute_of({**user, **change}, tmp_path).check()
    assert "wr0ng-one" not in caught.value.message


def test_a_network_that_is_not_there_is_named(user, image_id, tmp_path):
    lost = compute_of({**user, "EPHEMERAL_CLOUD_NET_ID": str(uuid.uuid4())}, tmp_path)
    with (
        pytest.raises(ConfigurationError, match="EPHEMERAL_CLOUD_NET_ID"),
        lost.boot(image_id, name="lost", timeout=BOOT_SECONDS, cancelled=never),
    ):
        pytest.fail("it booted")


def test_a_compute_whose_settings_are_right_can_be_used(compute):
    compute.check()
