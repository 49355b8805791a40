"""Whether this machine can isolate programs."""

from __future__ import annotations

import pytest

from ci_utils.sandbox.probe import require_sandboxes


@pytest.mark.system
def test_this_machine_can_isolate_programs():
    require_sandboxes()
