"""Images in a real Glance."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from glanceclient import Client, exc

from ci_utils import keystone
from ci_utils.config import Credentials, GlanceConfig, OpenStackConfig
from ci_utils.disk_image import qcow2
from ci_utils.errors import CIError, ConfigurationError, Conflict, InvalidRequest, NotFound, Unavailable
from ci_utils.image_store.glance import STORED_AT, GlanceImageStore
from tests.ci_utils.image_store.contract import ImageStoreContract, make_image
from tests.harness.openstack.glance import Glance
from tests.harness.processes import free_port

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]


def credentials_of(settings: dict[str, str]) -> Credentials:
    cloud = OpenStackConfig.from_environment(settings)
    return GlanceConfig.from_environment(settings).credentials(cloud)


def store_of(settings: dict[str, str], work_dir: Path, **options: timedelta) -> GlanceImageStore:
    """The image store that these settings make."""
    limit = GlanceConfig.from_environment(settings).cache_bytes
    base_url = "http://127.0.0.1:8000/images"
    return GlanceImageStore(credentials_of(settings), work_dir, limit, base_url, **options)


def client_of(settings: dict[str, str]) -> Client:
    """Glance as the user's own programs see it."""
    return Client("2", session=keystone.open_session(credentials_of(settings)))


@pytest.fixture
def user(glance: Glance) -> dict[str, str]:
    """The settings of a user whose project has no image."""
    return glance.keystone.new_user()


@pytest.fixture
def store(user: dict[str, str], tmp_path: Path) -> GlanceImageStore:
    return store_of(user, tmp_path / "cache")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.qcow2", b"base")


class TestGlanceImageStore(ImageStoreContract):
    """The contract, on Glance."""


def test_a_store_that_answers_can_be_used(store):
    store.check()


def test_tokens_that_are_no_longer_valid_are_renewed(store, disk, glance, tmp_path):
    image = store.upload("before", disk)
    glance.keystone.forget_tokens()
    assert store.get(image.id) == image
    glance.keystone.forget_tokens()
    after = store.upload("after", disk)
    glance.keystone.forget_tokens()
    store.download(after.id, tmp_path / "download.qcow2")
    assert (tmp_path / "download.qcow2").read_bytes() == disk.read_bytes()


def test_a_token_that_ends_between_making_an_image_and_sending_it_loses_nothing(
    store, disk, glance, monkeypatch
):
    upload = store._project._glance.images.upload

    def upload_late(*arguments: object) -> object:
        monkeypatch.undo()
        glance.keystone.forget_tokens()
        return upload(*arguments)

    monkeypatch.setattr(store._project._glance.images, "upload", upload_late)
    image = store.upload("base", disk)
    assert store.list() == [image]
    assert image.size == disk.stat().st_size


def test_an_image_that_was_changed_in_glance_is_not_taken(store, disk, glance, tmp_path, no_pauses):
    image = store.upload("base", disk)
    stored = glance.images / image.id
    data = bytearray(stored.read_bytes())
    data[-1] ^= 1
    stored.write_bytes(data)
    with pytest.raises(Unavailable, match="not come from Glance with the checksum"):
        store.download(image.id, tmp_path / "download.qcow2")
    with pytest.raises(Unavailable):
        store.fetch(image.id, tmp_path)
    assert not list(tmp_path.glob("**/*.part"))
    assert not (tmp_path / "download.qcow2").exists()


def test_an_image_that_lost_bytes_on_its_way_is_never_seen(store, disk, monkeypatch, no_pauses, user):
    def upload_half(image_id: str, file) -> object:
        half = disk.with_name("half.qcow2")
        half.write_bytes(file.read()[: disk.stat().st_size // 2])
        with half.open("rb") as sent:
            return whole(image_id, sent)

    whole = store._project._glance.images.upload
    monkeypatch.setattr(store._project._glance.images, "upload", upload_half)
    with pytest.raises(CIError):
        store.upload("base", disk)
    assert store.list() == []
    assert list(client_of(user).images.list()) == []


def test_what_is_no_qcow2_image_is_refused_and_not_left_there(store, tmp_path, user):
    raw = tmp_path / "raw.qcow2"
    raw.write_bytes(b"QFI\xfb" + bytes(1 << 20))
    with pytest.raises(CIError):
        store.upload("raw", raw)
    assert list(client_of(user).images.list()) == []


def test_public_images_are_seen_by_all_who_know_their_id_and_private_ones_by_none(store, disk, glance):
    public, private = store.upload("public", disk, public=True), store.upload("private", disk)
    others = client_of(glance.keystone.new_user())
    assert others.images.get(public.id).name == "public"
    with pytest.raises(exc.HTTPNotFound):
        others.images.get(private.id)


def test_images_of_other_projects_are_not_of_this_store(store, disk, glance, tmp_path):
    other = store_of(glance.keystone.new_user(), tmp_path / "other")
    theirs = other.upload("base", disk, properties={"kind": "base"}, public=True)
    assert store.list() == []
    assert store.find("base") is None
    for use in (store.get, store.open_file, store.delete):
        with pytest.raises(NotFound):
            use(theirs.id)


def test_images_that_were_not_put_there_by_the_store_are_not_seen(store, user):
    client_of(user).images.create(name="base", disk_format="qcow2", container_format="bare")
    assert store.list() == []


def test_what_a_killed_process_left_half_stored_is_removed(user, disk, tmp_path):
    marks = {STORED_AT: "1"}
    client = client_of(user)
    left = client.images.create(name="left", disk_format="qcow2", container_format="bare", **marks)
    foreign = client.images.create(name="foreign", disk_format="qcow2", container_format="bare")
    patient = store_of(user, tmp_path / "cache")
    patient.upload("first", disk)
    assert left.id in {image.id for image in client.images.list()}
    sweeping = store_of(user, tmp_path / "cache", left_after=timedelta(days=-1))
    sweeping.upload("second", disk)
    seen = {image.id for image in client.images.list()}
    assert left.id not in seen
    assert foreign.id in seen
    assert [image.name for image in patient.list()] == ["first", "second"]


def test_a_deleted_base_is_asked_for_again(store, disk, tmp_path):
    base = store.upload("base", disk)
    overlay = tmp_path / "overlay.qcow2"
    qcow2.create_overlay(overlay, store.fetch(base.id, tmp_path))
    store.delete(base.id)
    with pytest.raises(Conflict, match=r"base of image ticket\.1 was deleted meanwhile"):
        store.upload("ticket.1", overlay)


def test_an_overlay_on_a_changed_copy_is_refused(store, disk, tmp_path):
    base = store.upload("base", disk)
    fake = make_image(tmp_path / f"{base.id}.qcow2", b"other")
    qcow2.create_overlay(tmp_path / "overlay.qcow2", fake)
    with pytest.raises(InvalidRequest, match="not in the image store"):
        store.upload("ticket.1", tmp_path / "overlay.qcow2")


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("ci_utils.retries.PAUSES", (0.0, 0.0))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"GLANCE_OS_PASSWORD": "wr0ng-one"}, "GLANCE_OS_USERNAME and GLANCE_OS_PASSWORD"),
        ({"GLANCE_OS_USERNAME": "nobody"}, "GLANCE_OS_USERNAME and GLANCE_OS_PASSWORD"),
        ({"GLANCE_OS_TENANT_NAME": "nowhere"}, "for the project nowhere"),
        ({"GLANCE_OS_USER_DOMAIN_NAME": "nowhere"}, "the domains"),
        ({"GLANCE_OS_REGION_NAME": "atlantis"}, "GLANCE_OS_REGION_NAME: Keystone knows no Glance"),
    ],
)
def test_a_wrong_setting_is_named(user, tmp_path, change, complaint):
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        store_of({**user, **change}, tmp_path / "cache").check()
    assert "wr0ng-one" not in caught.value.message
    assert user["OS_PASSWORD"] not in caught.value.message


def test_an_address_where_nothing_answers_is_named(user, tmp_path):
    nowhere = f"http://127.0.0.1:{free_port()}/v3"
    with pytest.raises(Unavailable, match=f"GLANCE_OS_AUTH_URL.*{nowhere}.*does not answer"):
        store_of({**user, "GLANCE_OS_AUTH_URL": nowhere}, tmp_path / "cache").check()


def test_an_address_of_something_else_is_named(user, tmp_path, glance):
    with pytest.raises(ConfigurationError, match="GLANCE_OS_AUTH_URL: no Keystone v3 answers"):
        store_of({**user, "GLANCE_OS_AUTH_URL": f"{glance.url}/v3"}, tmp_path / "cache").check()


def test_settings_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"^OS_AUTH_URL is not set"):
        store_of({}, tmp_path / "cache")
