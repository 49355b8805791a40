"""Whose uploads are accepted."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ticket_system.models import TrustedUploader


def uploader(*arguments: str) -> str:
    out = StringIO()
    call_command("uploader", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("armor", [(), ("--armor",)])
def test_a_key_is_added_listed_and_removed(db, alice, tmp_path, armor):
    (tmp_path / "key").write_bytes(alice.public(*armor))
    line = f"{alice.fingerprint} Alice <alice@example.com>"
    assert uploader("add", str(tmp_path / "key")) == f"trusted: {line}\n"
    assert uploader("add", str(tmp_path / "key")) == f"trusted: {line}\n"
    assert uploader("list") == f"{line}\n"
    spaced = " ".join(alice.fingerprint[i : i + 4] for i in range(0, 40, 4)).lower()
    uploader("remove", spaced)
    assert uploader("list") == ""


def test_what_is_no_key_is_refused(db, alice, tmp_path):
    (tmp_path / "key").write_bytes(alice.secret())
    with pytest.raises(CommandError, match="holds a secret key"):
        uploader("add", str(tmp_path / "key"))
    with pytest.raises(CommandError, match="none cannot be read"):
        uploader("add", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="no trusted uploader"):
        uploader("remove", "0" * 40)
    assert not TrustedUploader.objects.exists()


def test_each_of_several_trusted_keys_is_accepted(submission, mallory):
    from ticket_system.domain.uploaders import add_uploader

    add_uploader(mallory.public())
    assert submission.bundle().status_code == 201
    submission.key = mallory
    assert submission.bundle().status_code == 201


def test_a_key_that_is_not_trusted_any_more_is_refused(submission, alice):
    uploader("remove", alice.fingerprint)
    assert "does not trust" in submission.bundle().json()["error"]
