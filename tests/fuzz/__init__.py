"""Hostile input for everything that an upload, a build or a test controls."""
