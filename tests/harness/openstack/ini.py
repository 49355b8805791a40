"""Writes the settings of OpenStack's servers."""

from __future__ import annotations

from collections.abc import Mapping


def ini(sections: Mapping[str, Mapping[str, object]]) -> str:
    """The text of an ini file; True and False as OpenStack writes them."""
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {_text(value)}" for name, value in settings.items()]
    return "\n".join([*lines, ""])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
