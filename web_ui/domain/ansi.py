"""Terminal colours in logs as classes of HTML; everything else that steers a terminal is taken out.

What comes out is safe: every character of the log is escaped, and classes come
from a list. A line stands for itself, so colours end with their line.
"""

from __future__ import annotations

import re

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

#: CSI and OSC sequences, other escapes, and control characters but tab and newline.
_COLOUR = re.compile(r"\x1b\[([0-9;]{0,60})m")
_OTHER = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]"
)
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
#: How many arguments one of many colours has, by what comes after 38, 48 or 58.
_ARGUMENTS = {5: 1, 2: 3}
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "underline"}


def plain(text: str) -> str:
    """The text without anything that steers a terminal."""
    return _OTHER.sub("", _after_returns(_COLOUR.sub("", text)))


def coloured(line: str) -> SafeString:
    """One line as HTML."""
    line = _after_returns(line)
    pieces = []
    classes: frozenset[str] = frozenset()
    position = 0
    for match in _COLOUR.finditer(line):
        pieces.append(_span(line[position : match.start()], classes))
        classes = _apply(match[1], classes)
        position = match.end()
    pieces.append(_span(line[position:], classes))
    return format_html_join("", "{}", ((piece,) for piece in pieces))


def _span(text: str, classes: frozenset[str]) -> SafeString:
    shown = escape(_OTHER.sub("", text))
    if not (classes and shown):
        return shown
    return format_html('<span class="{}">{}</span>', " ".join(sorted(classes)), shown)


def _apply(codes: str, classes: frozenset[str]) -> frozenset[str]:
    """The classes after a sequence of codes (ECMA-48, SGR); what is not known changes nothing."""
    numbers = [int(code or 0) for code in codes.split(";")]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            classes = frozenset()
        elif number in (38, 48, 58):
            # One of the many colours that pages do not show; its arguments are no codes.
            kind = numbers.pop(0) if numbers else 0
            del numbers[: _ARGUMENTS.get(kind, 0)]
            classes = _without_colour(classes) if number == 38 else classes
        elif number in _STYLES:
            classes |= {f"a-{_STYLES[number]}"}
        elif number == 22:
            classes -= {"a-bold", "a-dim"}
        elif number == 39:
            classes = _without_colour(classes)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            classes = _without_colour(classes) | {f"a-{_COLOURS[number % 10]}"}
    return classes


def _without_colour(classes: frozenset[str]) -> frozenset[str]:
    return classes - {f"a-{colour}" for colour in _COLOURS}


def _after_returns(text: str) -> str:
    """What is left to see where a line was written over itself."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
