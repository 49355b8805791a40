"""How the fuzz tests run, and what hostile input is made of.

Each test is an ordinary hypothesis test that takes nothing but its input, so
that `make fuzz` can also drive it with atheris, which looks for new branches.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: Set by `make fuzz`; without it a run is short and the same every time.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
QUICK_EXAMPLES = 200

SPACES = "\x00\t\n\r\x0b\x0c\x1c\x85\xa0\u2003\u2028\ufeff\x9b\ufffe\uffff"
PATHS = ["../../etc/passwd", "/etc/passwd", "..", ".", "a/b", "-rf", "a\x00b", "%2e%2e%2f", "x" * 300]
VERSIONS = ["1.0", "2.10-4", "1:0~rc1", "0", "1-", ":", "999999999999:1", "1.0\n", "\u0661.0", "1/../2"]
NAMES = ["hello", "libx", "a", "Hello", "hello world", "hell\u00f6", "hello\n", "--help", "h" * 201]

noise = st.text(st.sampled_from(string.printable + SPACES + "\u00e9\u4e16\U0001f600"), max_size=60)
package_names = st.sampled_from(NAMES) | noise
versions = st.sampled_from(VERSIONS) | noise
file_names = st.sampled_from([*PATHS, "hello_1.0.dsc", "hello_1.0.tar.gz", "hello_1.0_amd64.deb"]) | noise
values = st.one_of(package_names, versions, file_names, noise)


def fuzz(
    *inputs: st.SearchStrategy[Any], share: float = 1.0, raw: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of these inputs; `share` of the usual examples for those that start programs.

    `raw`: the one input is bytes that a reader takes as they are, so atheris
    may change them itself.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        examples = max(5, int((EXAMPLES or QUICK_EXAMPLES) * share))
        profile = settings(
            max_examples=examples,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        fuzzed: Any = pytest.mark.slow(profile(given(*inputs)(test)))
        fuzzed.examples = examples
        fuzzed.raw_inputs = inputs[0] if raw else None
        return cast("Callable[..., None]", fuzzed)

    return decorate


def _stanza(fields: list[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in fields).encode()


def stanzas(names: list[str], of: st.SearchStrategy[str] = values) -> st.SearchStrategy[bytes]:
    """Control fields with these names in any case, or none of them."""
    name = st.sampled_from([*names, *(n.upper() for n in names), *(n.lower() for n in names)]) | noise
    return st.lists(st.tuples(name, of), max_size=8).map(_stanza)


def spoiled(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The texts as they are, or cut, repeated, or with other bytes somewhere."""

    def spoil(text: bytes, at: int, length: int, other: bytes) -> bytes:
        at = at % (len(text) + 1)
        return text[:at] + other + text[at + length :]

    place = st.integers(0, 5000)
    return texts | st.builds(
        spoil, texts, place, st.integers(0, 40), st.binary(max_size=12) | noise.map(str.encode)
    )
