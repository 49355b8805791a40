"""Resources of the test runner."""

from test_runner.api import TestImageResource

RESOURCES = [TestImageResource()]
