"""The description (WADL) of the web service: the one that launchpadlib ships.

It is of version 1.0. The engine uses `devel`, which has all of that and two
operations more, so those are put in here, in the same form.
"""

from __future__ import annotations

from importlib import resources

SHIPPED_ROOT = "https://api.launchpad.test/1.0/"
CANCEL = """<wadl:method id="build-cancel" name="POST"><wadl:request>
<wadl:representation mediaType="application/x-www-form-urlencoded">
<wadl:param style="query" name="ws.op" required="true" fixed="cancel"/>
</wadl:representation></wadl:request></wadl:method>"""
SIGNING_KEY = """<wadl:method id="archive-getSigningKeyData" name="GET"><wadl:request>
<wadl:param style="query" name="ws.op" required="true" fixed="getSigningKeyData"/>
</wadl:request></wadl:method>"""


def description(root: str) -> bytes:
    """The WADL for a web service at `root`."""
    shipped = (resources.files("launchpadlib.testing") / "launchpad-wadl.xml").read_text()
    for before, added in (
        ('<wadl:method id="build-retry" name="POST">', CANCEL),
        ('<wadl:method id="archive-getPublishedBinaries" name="GET">', SIGNING_KEY),
    ):
        assert shipped.count(before) == 1, before
        shipped = shipped.replace(before, added + before)
    return shipped.replace(SHIPPED_ROOT, root).encode()
