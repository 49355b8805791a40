"""Whatever a source declares as tests and whatever running them leaves, there is a result to read."""

from __future__ import annotations

import io
import tempfile
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import strategies as st
from junitxml import JUnitXmlResult
from subunit import ProtocolTestCase

from ci_utils.errors import StageFailed
from ci_utils.source_package.names import valid_package_name
from test_runner.domain.dep8 import read_tests, uses_autodep8
from test_runner.domain.results import SourceResult, read_results
from test_runner.domain.subunit_stream import subunit_v1
from tests.fuzz.inputs import PATHS, fuzz, noise, spoiled, stanzas, values

TESTS_FIELDS = ["Tests", "Test-Command", "Depends", "Restrictions", "Features", "Architecture", "Classes"]
CONTROL_FIELDS = [
    *("Source", "Package", "Architecture", "Package-Type", "Recommends", "Testsuite"),
    *("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep"),
]
STARTED = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)

_relations = st.lists(
    st.sampled_from(
        [
            *("@", "@builddeps@", "@recommends@", "a", "b (>= 1.0)", "c [amd64]", "d [!i386 !amd64]"),
            *(
                "e:any",
                "f:native",
                "g <!nocheck>",
                "h <stage1> <!x y>",
                "i | j",
                "${shlibs:Depends}",
                "(=",
                "[]",
            ),
            *("k (1)", "l [any-", "m [linux-any] <", "@ | n", "o ()", "# p", "q [gnu-linux-x86]", "r [-]"),
        ]
    )
    | noise,
    max_size=4,
).map(", ".join)
_words = st.sampled_from(
    ["any", "all", "amd64", "!amd64", "any-", "-", "a-b-c-d", "!", "udeb", "build-needed"]
)
_field_values = values | _relations | _words


def _paragraphs(names: list[str]) -> st.SearchStrategy[str]:
    stanza = stanzas(names, _field_values)
    return spoiled(st.lists(stanza, max_size=4).map(b"\n".join)).map(
        lambda text: text.decode(errors="replace")
    )


@fuzz(_paragraphs(TESTS_FIELDS), _paragraphs(CONTROL_FIELDS))
def test_declared_tests_are_read_or_refused(tests_control, source_control):
    uses_autodep8(source_control)
    with suppress(StageFailed):
        declared = read_tests(tests_control, source_control, architecture="amd64")
        assert all(name and not any(c.isspace() for c in name) for name in declared.names)
        for dependency in declared.dependencies:
            assert "\n" not in dependency
            assert valid_package_name(dependency.split(" ")[0])


_names = st.sampled_from(["one", "*", "setup", "no-tests", "a[", *PATHS]) | noise
_outcomes = st.sampled_from(
    ["PASS", "FAIL non-zero exit status 3", "SKIP x", "FLAKY y", "FAIL badpkg", "BROKEN", "x"]
)
_summaries = spoiled(
    st.lists(
        st.builds("{}  {}{}".format, _names, _outcomes, noise)
        | st.sampled_from(["badpkg: a", "erroneous package: b", "quitting: c", "testbed failure: "])
    ).map(lambda lines: "\n".join(lines).encode())
)
_mark = st.sampled_from(["[-----------------------", "-----------------------]", "["])
_logs = st.lists(
    st.builds(
        "autopkgtest [{}]: test {}: {}".format, st.sampled_from(["10:00:00", "99:99:99", "::"]), _names, _mark
    )
).map(lambda lines: "\n".join(lines).encode(errors="replace"))
_statuses = st.sampled_from([0, 2, 4, 6, 8, 12, 14, 16, 20, 1, -9])


@fuzz(_summaries, spoiled(_logs), spoiled(noise.map(str.encode)), _statuses)
def test_results_are_read_whatever_lies_there(summary, log, output, status):
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "output"
        folder.mkdir()
        (Path(directory) / "secret").write_text("the host's own")
        (folder / "summary").write_bytes(summary)
        for name in ("one-stdout", "setup-stdout", "testpkg-version", "a[-packages"):
            (folder / name).write_bytes(output)
        (folder / "one-stderr").symlink_to("../secret")
        (Path(directory) / "log").write_bytes(log)
        result = read_results("hello", folder, Path(directory) / "log", status=status)
    assert "the host's own" not in str(result)
    texts = [text for test in result.tests for text in (test.name, test.reason, *test.attachments.values())]
    assert not any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for text in texts for c in text)
    assert result.verdict in ("passed", "failed", "no tests")
    assert result.failed or status in (0, 2, 8)
    _check_stream(result)


def _check_stream(result: SourceResult) -> None:
    """All filters read the stream as what was written."""
    report = io.StringIO()
    other = JUnitXmlResult(report)
    other.startTestRun()
    ProtocolTestCase(io.BytesIO(subunit_v1(result, started_at=STARTED))).run(other)
    other.stopTestRun()
    assert other.testsRun == len(result.tests)
    cases = ElementTree.fromstring(report.getvalue()).findall("testcase")
    names = [f"{case.get('classname')}.{case.get('name')}" for case in cases]
    assert names == [f"hello.{test.name}" for test in result.tests]
    failures = [test for test in result.tests if test.outcome.value == "failed"]
    assert len([case for case in cases if case.find("failure") is not None]) == len(failures)
