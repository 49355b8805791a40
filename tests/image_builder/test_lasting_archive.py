"""Which archive an image keeps as a source of apt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ci_utils.compute.port import AptArchive
from ci_utils.errors import Unavailable
from image_builder.worker import _lasting_archive
from tests.ticket_system.archives import KnownArchives

DESTINATION = "ppa:local/archive"


class Ppas(KnownArchives):
    """A destination in Launchpad, whose key is made at some time."""

    key = b""

    def apt_archive(self, archive: str) -> AptArchive:
        if not self.key:
            raise Unavailable("there is no key yet")
        return AptArchive("deb http://ppa.example.com bookworm main", self.key)


@pytest.mark.parametrize(("public_url", "kept"), [("", None), ("https://ci.example.com", DESTINATION)])
def test_an_archive_on_this_machine_is_kept_where_images_reach_the_machine(
    settings: Any, public_url: str, kept: str | None
):
    settings.UCI = replace(settings.UCI, archives="local", public_url=public_url)
    assert _lasting_archive(KnownArchives()) == kept


def test_a_ppa_is_kept_once_it_has_a_key(settings: Any):
    settings.UCI = replace(settings.UCI, archives="launchpad", public_url="")
    archives = Ppas()
    assert _lasting_archive(archives) is None
    archives.key = b"key"
    assert _lasting_archive(archives) == DESTINATION
