"""Pages for people; no state of their own but who is logged in. Specification: chapter "Web Server"."""
