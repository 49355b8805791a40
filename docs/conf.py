"""Sphinx's settings for the documentation of the engine."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

project = "Ubuntu CI Engine"
copyright = "the Ubuntu CI Engine's authors"
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project


def setup(app):
    from reference_pages import write_all

    app.connect("builder-inited", lambda _: write_all(HERE / "reference" / "generated"))
