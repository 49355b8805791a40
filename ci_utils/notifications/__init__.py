"""Tells people and programs that something has happened: by mail and by webhook."""
