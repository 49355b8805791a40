"""The verbs of the test runner."""
