"""The verbs of the image builder."""
