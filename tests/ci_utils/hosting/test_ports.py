"""Settings that do not go together are refused before any work."""

from __future__ import annotations

import dataclasses
from inspect import unwrap

import pytest

from ci_utils.errors import ConfigurationError
from ci_utils.hosting import ports


def test_machines_in_nova_need_images_in_glance(settings):
    settings.UCI = dataclasses.replace(settings.UCI, compute="nova", image_store="local")
    with pytest.raises(ConfigurationError, match="UCI_COMPUTE: nova boots images from Glance; set UCI_IMAGE"):
        unwrap(ports.compute)()  # another test may have made the one of this process
