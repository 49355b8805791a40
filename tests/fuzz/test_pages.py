"""What hostile programs print becomes a page: text, in markup of the engine's own, and sound XML."""

from __future__ import annotations

import re
from contextlib import suppress
from xml.etree import ElementTree

from hypothesis import strategies as st

from ci_utils.errors import InvalidRequest
from ci_utils.subunit_results import junit_xml, read_subunit
from tests.fuzz.inputs import fuzz, noise, spoiled
from web_ui.domain.ansi import coloured, plain
from web_ui.domain.log_page import console_lines

TAG = re.compile(r"<span class=\"(a-[a-z]+ ?)+\">|</span>")
_escapes = st.sampled_from(
    [
        "\x1b[1;31m",
        "\x1b[0m",
        "\x1b[",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x1b\\",
        "\x9b31m",
        "\r",
        "\x1b[999A",
    ]
)
_markup = st.sampled_from(["<script>alert(1)</script>", "&lt;", '" onload="x', "</span>", "<!--", "]]>"])
_logs = spoiled(st.lists(_escapes | _markup | noise, max_size=8).map("".join).map(str.encode))
_streams = spoiled(
    st.lists(
        st.builds(
            "{}: {}{}".format,
            st.sampled_from(
                ["test", "success", "failure", "error", "skip", "time", "tags", "progress", "xfail"]
            ),
            noise,
            st.sampled_from(
                ["\n", " [\nwhy\n]\n", " [ multipart\nContent-Type: text/plain\nx\n3\r\nabc0\r\n]\n"]
            ),
        ),
        max_size=6,
    )
    .map("".join)
    .map(str.encode)
)


@fuzz(_logs, raw=True)
def test_a_line_of_a_log_is_text_whatever_it_says(content):
    for line in content.decode(errors="replace").split("\n"):
        shown = str(coloured(line))
        assert "<" not in TAG.sub("", shown)
        assert shown.count("<span") == shown.count("</span>")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown + plain(line))


@fuzz(_logs, raw=True)
def test_lines_of_a_console_are_numbered_without_a_gap(content):
    lines = console_lines(content.decode(errors="replace"), 7)
    assert [line.number for line in lines] == list(range(8, 8 + len(lines)))


@fuzz(_streams | _logs, raw=True)
def test_any_stream_of_results_is_refused_or_becomes_sound_xml(content):
    with suppress(InvalidRequest):
        document = ElementTree.fromstring(junit_xml([content]))
        assert len(document.findall("testcase")) == len(read_subunit(content))
