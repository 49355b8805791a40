"""Project data is a JSON file that people write: taken or refused, never half."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import strategies as st

from ci_utils.api.schema import parse_json
from ci_utils.errors import InvalidRequest
from ci_utils.source_package.names import valid_package_name, valid_version
from tests.fuzz.inputs import fuzz, package_names, spoiled, versions
from ticket_system.domain.project import PROJECT_DATA, checked_entries

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | package_names | versions,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(package_names, inner, max_size=4),
    max_leaves=12,
)
_entries = st.fixed_dictionaries(
    {"binary": package_names, "source": package_names, "version": versions}, optional={"x": _json}
)
_data = spoiled((st.lists(_entries, max_size=5) | _json).map(lambda data: json.dumps(data).encode()))


@fuzz(_data | st.binary(max_size=60))
def test_every_entry_that_is_taken_is_sound(content):
    with suppress(InvalidRequest):
        entries = checked_entries(parse_json(content, PROJECT_DATA))
        assert len({entry["binary"] for entry in entries}) == len(entries)
        for entry in entries:
            assert valid_package_name(entry["binary"])
            assert valid_package_name(entry["source"])
            assert valid_version(entry["version"])
