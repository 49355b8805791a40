"""Benchmarks: `make bench` runs them all in one run, `python -m benchmarks NAME` runs one.

They print what they measured as a table; nothing fails for being slow, tests
never assert a time. The figures that are kept are in
docs/explanation/performance.md.
"""
