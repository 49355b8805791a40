"""The probe tells an accelerator that runs guests from one that does not."""

from __future__ import annotations

import json

import pytest

from ci_utils.compute import kvm
from ci_utils.errors import Cancelled

pytestmark = pytest.mark.system


def test_the_probe_gets_through_where_guests_run():
    assert kvm.runs_guests("tcg", timeout=100)  # emulation is slower


def test_the_probe_fails_where_there_is_no_such_accelerator():
    assert not kvm.runs_guests("hax")


def test_a_probe_that_is_cancelled_ends():
    with pytest.raises(Cancelled):
        kvm.runs_guests("tcg", timeout=100, cancelled=lambda: True)


def test_an_accelerator_that_was_set_is_taken_without_a_probe(tmp_path):
    assert kvm.choose_accelerator("kvm", tmp_path) == "kvm"
    assert kvm.choose_accelerator("tcg", tmp_path) == "tcg"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("usable", "chosen"), [(True, "kvm"), (False, "tcg")])
def test_the_answer_is_kept_until_the_next_boot(tmp_path, usable, chosen):
    answer = {"boot_id": kvm.BOOT_ID.read_text().strip(), "usable": usable}
    (tmp_path / "kvm-probe.json").write_text(json.dumps(answer))
    assert kvm.choose_accelerator("auto", tmp_path) == chosen


@pytest.mark.parametrize("text", ["", "{", '{"boot_id": "another", "usable": true}'])
def test_an_answer_of_another_boot_or_a_broken_one_is_asked_again(tmp_path, text):
    (tmp_path / "kvm-probe.json").write_text(text)
    chosen = kvm.choose_accelerator("auto", tmp_path)
    kept = json.loads((tmp_path / "kvm-probe.json").read_text())
    assert kept == {"boot_id": kvm.BOOT_ID.read_text().strip(), "usable": chosen == "kvm"}


def test_the_boot_sector_is_a_boot_sector():
    assert len(kvm.BOOT_SECTOR) == 512
    assert kvm.BOOT_SECTOR.endswith(b"\x55\xaa")
