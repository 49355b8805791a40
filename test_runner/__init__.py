"""The test runner: boots an image and runs packages' own tests (DEP-8) on it.

Specification: chapter "Test Runner". It keeps no state of its own: a request
is a row of the work queue, what it leaves behind lies in the data store.
"""
