"""What the owner of a ticket that did not land can do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BY_STEP: Mapping[str, Sequence[str]] = {
    "100": (
        "Nothing was built. If the sentence above names your upload, mend it and make a new ticket.",
        "If it names a service or a server, try the same ticket again.",
    ),
    "200": (
        "Read the build log from its end: the first error is what to mend.",
        "Raise the version in debian/changelog, build and sign the source again, and make a new ticket.",
    ),
    "300": (
        "The log names the package that could not be installed, upgraded or removed.",
        "Mend its dependencies or its maintainer scripts, or change the packages to add and to remove.",
    ),
    "400": (
        "The table of tests says which one failed; its log has what it printed.",
        "The image can be downloaded and booted, to try the test by hand.",
        "A test that fails now and then can be tried again without a new upload.",
    ),
    "500": (
        "Nothing or everything is published, never a part of it.",
        "A higher version may have been published meanwhile: raise yours and make a new ticket.",
    ),
}
CANCELLED = ("Nothing of it was published. Try it again whenever it is wanted after all.",)


def advice_for(ticket: Mapping[str, Any]) -> Sequence[str]:
    """Sentences for a ticket that failed or was cancelled."""
    if ticket["status"] == "998":
        return CANCELLED
    return BY_STEP.get(str(ticket["failed_workflow_step"]), BY_STEP["100"])
