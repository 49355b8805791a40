"""The engine's own view of the package mirror, apart from the host's apt."""
