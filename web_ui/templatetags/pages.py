"""What templates write: addresses of static files, times, durations and sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ci_utils.durations import duration
from web_ui.domain.stages import CANCELLED, COMPLETE, FAILED, time_of
from web_ui.static_files import files

register = template.Library()
register.filter("duration", duration)

#: Launchpad's, as the specification has it.
BUGS = "https://bugs.launchpad.net/bugs/"
WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\s\"'<>]*)?")
RUNNING = "100"
LINES_BEFORE = 20
#: Steps that people know by shorter names.
STEP_NAMES = {
    "200": "Building",
    "300": "Imaging",
    "400": "Testing",
    "500": "Publishing",
}
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@register.simple_tag
def static_url(name: str) -> str:
    """The address of a static file by the name that it has in the source."""
    return reverse("web_ui:static", args=[files()[name].name])


@register.filter
def when(value: Any) -> SafeString | str:
    """A time in UTC, exact for machines and for whoever points at it."""
    moment = time_of(value)
    if moment is None:
        return ""
    today = moment.date() == timezone.now().date()
    shown = f"{moment:%H:%M}" if today else f"{moment:%d %b %Y, %H:%M}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        shown,
    )


@register.filter
def ago(value: Any) -> SafeString | str:
    """How long ago a time was, in its largest unit."""
    moment = time_of(value)
    if moment is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        _since((timezone.now() - moment).total_seconds()),
    )


@register.filter
def size(value: int | None) -> str:
    """Bytes in the unit that suits them."""
    if value is None:
        return ""
    number, unit = float(value), 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{value} bytes" if unit == 0 else f"{number:.1f} {UNITS[unit]}"


@register.filter
def moment(value: Any) -> SafeString | str:
    """A time in UTC with its seconds."""
    read = time_of(value)
    if read is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', read.isoformat(), f"{read:%d %b %H:%M:%S}")


@register.filter
def state_name(moving: Mapping[str, Any]) -> str:
    """Where a ticket or subticket is, in words."""
    if moving["status"] == CANCELLED:
        return "Cancelled"
    if moving["status"] == FAILED:
        return "Failed"
    if moving["status"] == COMPLETE and moving["current_workflow_step"] != COMPLETE:
        return "Built"
    return STEP_NAMES.get(moving["current_workflow_step"], str(moving["step_name"]))


@register.filter
def state_class(moving: Mapping[str, Any]) -> str:
    """The class of its badge."""
    if moving["status"] == CANCELLED:
        return "is-cancelled"
    if moving["status"] in (FAILED, COMPLETE):
        return "is-failed" if moving["status"] == FAILED else "is-done"
    return "is-running" if moving["status"] == RUNNING else "is-waiting"


@register.filter
def estimate(place: Mapping[str, Any]) -> str:
    """When a ticket in the queue may begin and end: "waiting for ticket 41, about 6 to 9 minutes"."""
    ends = place["ends_in"]
    if place["began_at"]:
        if ends and not ends["most"]:
            return "takes longer than usual"
        return f"done in {_about(ends)}" if ends else "lands now"
    who = f"waits for ticket {place['waits_for']}" if place["waits_for"] else "waits"
    starts = place["starts_in"]
    if not starts:
        return who
    begins = f", {_about(starts)}" if starts["most"] else ""
    return f"{who}{begins}; done in {_about(ends)}"


@register.simple_tag
def bug_link(bug: str) -> SafeString | str:
    """A link to a bug that is named by its address or number; anything else is only text."""
    if WEB_ADDRESS.fullmatch(bug):
        return format_html('<a href="{}" rel="noreferrer nofollow">{}</a>', bug, bug)
    if bug.isascii() and bug.isdigit():
        address = BUGS + bug
        return format_html('<a href="{}" rel="noreferrer nofollow">{}</a>', address, bug)
    return bug


@register.filter
def context_line(number: int) -> int:
    """Where a page begins that shows a line with some before it."""
    return max(1, number - LINES_BEFORE)


def _about(span: Mapping[str, float]) -> str:
    """A range as people say it."""
    least, most = span["least"], span["most"]
    if most < 90:
        low, high, unit = round(least), max(1, round(most)), "second"
    elif most < 5400:
        low, high, unit = round(least / 60), max(1, round(most / 60)), "minute"
    else:
        low, high, unit = round(least / 3600), max(1, round(most / 3600)), "hour"
    between = f"{low} to {high}" if 0 < low < high else f"{high}"
    about = "about" if low else "at most about"
    return f"{about} {between} {unit}{'' if high == 1 else 's'}"


def _since(seconds: float) -> str:
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= length:
            return f"{whole // length} {unit} ago"
    return "just now"
