"""What axe-core finds on a page that keeps people from using it."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver import Chrome

SCRIPT = Path(__file__).parent / "axe_core" / "axe.min.js"
SERIOUS = ("serious", "critical")
#: Copies ask for nothing: what came anew while axe looks would be half looked at.
STAND_STILL = "for (const e of document.querySelectorAll('[hx-trigger]')) e.replaceWith(e.cloneNode(true));"
RUN = "const done = arguments[0]; axe.run().then(r => done(r.violations), e => done([{id: String(e)}]));"


def findings(browser: Chrome) -> list[str]:
    """Serious and critical violations on the page as it is now, one line each."""
    # Through the debugger: the pages' own policy would not let a script in.
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": SCRIPT.read_text()})
    browser.execute_script(STAND_STILL)
    violations = browser.execute_async_script(RUN)
    return [
        f"{found['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for found in violations
        if found.get("impact", "critical") in SERIOUS
        for node in found.get("nodes", [{"html": ""}])[:3]
    ]
