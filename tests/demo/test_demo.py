"""The parts of `bin/demo` that need no engine; `make fresh` runs the whole."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.image_store.local import LocalImageStore
from ci_utils.source_package.keys import read_key
from ci_utils.source_package.signature import verify
from cli.local_uploads import check_uploads
from demo.apart import forget_tickets
from demo.engine import open_home
from demo.source import make_upload, throw_away_key
from tests.ci_utils.source_package.uploads import throw_away_key as distribution_key
from tests.source_packages import SourcePackage


class MirrorOfOne(Mirror):
    """A mirror that has one source package, in a directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "bookworm")
        self._directory = directory

    def fetch_source(self, name: str, directory: Path) -> Path:
        for path in self._directory.iterdir():
            if path.is_file():
                shutil.copy(path, directory)
        return next(directory.glob(f"{name}_*.dsc"))


def test_the_upload_is_signed_complete_and_higher(tmp_path: Path) -> None:
    mirror_dir, upload_dir = tmp_path / "mirror", tmp_path / "upload"
    mirror_dir.mkdir()
    upload_dir.mkdir()
    with distribution_key("Distribution <archive@example.com>") as theirs:
        SourcePackage("tiny", "1.0").upload(mirror_dir, theirs)
    with throw_away_key() as key:
        upload = make_upload("tiny", "+demo1", mirror=MirrorOfOne(mirror_dir), directory=upload_dir, key=key)
        fingerprint = key.fingerprint
        public = read_key(key.public_file.read_bytes())
    [checked] = check_uploads([upload.changes])
    assert (checked.changes.source, checked.changes.version) == ("tiny", "1.0+demo1")
    assert checked.changes.distribution == "bookworm"
    signed = verify(upload.changes.read_bytes(), public.content, upload.changes.name)
    assert signed.signature.fingerprint == public.fingerprint == fingerprint


def test_runs_are_counted_for_as_long_as_the_data_lasts(tmp_path: Path) -> None:
    numbers = [open_home(tmp_path, own_users=True).next_run() for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_settings_of_other_engines_do_not_reach_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UCI_DATABASE", "postgresql://other/engine")
    monkeypatch.setenv("UCI_ACCELERATOR", "tcg")
    home = open_home(tmp_path, own_users=True)
    settings = {name: value for name, value in home.environment.items() if name.startswith("UCI_")}
    assert settings == {"UCI_ACCELERATOR": "tcg", "UCI_DATA_DIR": str(tmp_path / "data")}
    assert home.environment["XDG_CONFIG_HOME"] == str(tmp_path / "config")


@pytest.mark.system
def test_images_of_earlier_tickets_are_not_taken_for_those_of_a_new_database(tmp_path: Path) -> None:
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    images = LocalImageStore(tmp_path / "images", "")
    for name in ("bookworm-amd64", "ticket.1"):
        images.upload(name, disk)

    forget_tickets(tmp_path / "images")

    assert [image.name for image in images.list()] == ["bookworm-amd64"]
